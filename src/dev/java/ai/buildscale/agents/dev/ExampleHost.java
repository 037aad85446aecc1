package ai.buildscale.agents.dev;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A host of agents outside the service, with nothing but the JDK: {@code java ExampleHost.java URL TOKEN}. Its agents repeat
 * what they are told, word by word, and stop when people want them to.
 */
@SuppressWarnings("SystemOut")
public final class ExampleHost {
    private static final String STRING = "\"((?:[^\"\\\\]|\\\\.)*)\"";
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private final String api;
    private final String token;
    /** The turns that it has, each as a heartbeat names it: what else it was given, an answer that was lost, it gets again. */
    private final Set<String> turns = ConcurrentHashMap.newKeySet();

    private ExampleHost(String api, String token) {
        this.api = api;
        this.token = token;
    }

    public static void main(String[] arguments) throws Exception {
        new ExampleHost(arguments[0] + "/api/v1/agent-hosts", arguments[1]).run();
    }

    private void run() throws Exception {
        String host = "/" + first("\"id\":" + STRING, post("", "{\"name\":\"example\",\"capacity\":50}"));
        System.out.println("Registered as " + host.substring(1));
        while (true) {
            String work = post(host + "/work?wait=20", "{\"turns\":[" + String.join(",", turns) + "]}");
            // each turn that it was given: quotes within strings are escaped, so this is where one begins
            for (String turn : work.split("\\{(?=\"turn_id\":)", -1)) {
                if (turn.startsWith("\"turn_id\":")) {
                    String named = "{\"turn_id\":\"" + first("\"turn_id\":" + STRING, turn) + "\",\"epoch\":"
                            + first("\"epoch\":(\\d+)", turn) + "}";
                    turns.add(named);
                    Thread.ofVirtual().start(() -> {
                        answer(host, turn);
                        turns.remove(named);
                    });
                }
            }
        }
    }

    /** Says the last message again. Each answer to what it says renews its lease, and tells whether to go on. */
    private void answer(String host, String turn) {
        String path = host + "/turns/" + first("\"turn_id\":" + STRING, turn);
        String epoch = "{\"epoch\":" + first("\"epoch\":(\\d+)", turn);
        try {
            // as it stands in the JSON, so that it can be said again as it is; after a pause, from where it was
            String words = "You said: " + last("\"kind\":\"user\",\"content\":" + STRING, turn);
            String said = first("\"said\":" + STRING, turn);
            String wanted = "running";
            for (String word :
                    words.substring(words.startsWith(said) ? said.length() : 0).split("(?<= )", -1)) {
                String chunk = "{\"event\":\"chunk\",\"text\":\"" + word + "\"}";
                String lease = post(path + "/events", epoch + ",\"events\":[" + chunk + "]}");
                wanted = first("\"desired_status\":" + STRING, lease);
                if (!wanted.equals("running")) {
                    break;
                }
                TimeUnit.MILLISECONDS.sleep(50);
            }
            String outcome = switch (wanted) {
                case "running" -> "done";
                case "paused" -> "paused";
                default -> "stopped";
            };
            post(path + "/result", epoch + ",\"outcome\":\"" + outcome + "\"}");
            System.out.println(path + ": " + outcome);
        } catch (Exception e) {
            // another host has the turn now (409 FENCED), or will have it once the lease is out
            System.out.println(path + ": " + e.getMessage());
        }
    }

    private String post(String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(api + path))
                .header("Authorization", "Bearer " + token)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() >= 300) {
            throw new IllegalStateException(response.body());
        }
        return response.body();
    }

    private static String first(String pattern, String json) {
        Matcher found = Pattern.compile(pattern).matcher(json);
        return found.find() ? found.group(1) : "";
    }

    private static String last(String pattern, String json) {
        return Pattern.compile(pattern)
                .matcher(json)
                .results()
                .reduce((_, later) -> later)
                .map(found -> found.group(1))
                .orElse("");
    }
}
