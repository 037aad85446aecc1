package ai.buildscale.agents.dev;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The main job as a person would do it: a token, a workspace, three sessions, an SSE client that follows them while they
 * are started, beaten for, paused, resumed, completed, cancelled, and one swept because it fell silent; then a talk with an
 * agent that asks back. Prints what it sees and fails if anything differs. Runs on the service at the URL given, else on
 * the one at localhost:8080, else (or if {@code own} or the file of an artefact is given) on one of its own with short
 * thresholds, on a database of its own.
 */
@SuppressWarnings("SystemOut")
public final class Demo {
    private static final String USUAL = "http://localhost:8080";
    private static final String OWN = "own";
    private static final Path DEVELOPMENT = Path.of("target/embedded/quarkus-app/quarkus-run.jar");
    /** With these the sweep finds a silent session while one looks on. */
    static final List<String> SHORT_THRESHOLDS = List.of(
            "-Dsessions.heartbeat-interval=2S", "-Dsessions.stale-threshold=6S", "-Dsessions.sweep-interval=1S");

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    private final String url;
    private final PrintStream out;
    private final BlockingQueue<JsonNode> seen = new LinkedBlockingQueue<>();
    private String token;

    /** @param token null where the service issues tokens itself */
    Demo(String url, String token, PrintStream out) {
        this.url = url;
        this.token = token;
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        String given = arguments.length == 0 ? "" : arguments[0];
        if (given.startsWith("http")) {
            new Demo(given, System.getenv("TOKEN"), System.out).run();
        } else if (given.isEmpty() && isReady(USUAL)) {
            new Demo(USUAL, System.getenv("TOKEN"), System.out).run();
        } else {
            onItsOwn(given.isEmpty() || given.equals(OWN) ? DEVELOPMENT : Path.of(given));
        }
        System.out.println("\nEverything went as it should.");
        System.exit(0);
    }

    private static void onItsOwn(Path artefact) throws Exception {
        Path folder = Files.createDirectories(Path.of("target/demo").toAbsolutePath());
        DevKeys keys = new DevKeys(folder);
        try (EmbeddedPostgres postgres = EmbeddedPostgres.start(folder.resolve("postgres-18"));
                Artefact service = Artefact.start(
                        artefact, folder, keys, postgres.newDatabase("demo"), List.of(), SHORT_THRESHOLDS)) {
            System.out.println("Started " + artefact + " for the demo at " + service.url());
            new Demo(service.url(), artefact.equals(DEVELOPMENT) ? null : keys.token(), System.out).run();
        }
    }

    private static boolean isReady(String url) throws InterruptedException {
        return Artefact.statusOf(url + "/q/health/ready") == 200;
    }

    void run() throws Exception {
        if (token == null) {
            token = call("POST", "/dev/tokens", "{}").get("access_token").asText();
        }
        say("A token: " + token.substring(0, 20) + "…");
        String workspace = call("POST", "/workspaces", "{\"name\":\"Demo\"}")
                .at("/workspace/id")
                .asText();
        say("A workspace: " + workspace);
        follow("/workspaces/" + workspace + "/events");
        say("Following its events over SSE\n");

        String assistant = create(workspace, "assistant", "chat", "server");
        String planner = create(workspace, "planner", "plan", "server");
        String builder = create(workspace, "builder", "build", "external");

        command(assistant, "start", "{\"task\":\"Answer a question\"}", "running");
        expect(assistant, "agent_status", "running");
        expect(assistant, "agent_task", "Answer a question");
        command(planner, "start", "{\"task\":\"Plan a release\"}", "running");
        expect(planner, "agent_status", "running");
        expect(planner, "agent_task", "Plan a release");
        command(builder, "start", "{}", "running");
        expect(builder, "agent_status", "running");

        JsonNode lease = call("POST", "/agent-sessions/" + builder + "/heartbeat", "{\"epoch\":1,\"progress\":true}");
        say("The builder beats: " + lease);
        check("its lease is extended", "true", lease.get("lease_extended").asText());

        command(assistant, "pause?wait=10", "{\"reason\":\"Lunch\"}", "paused");
        check(
                "the event's reason",
                "Lunch",
                expect(assistant, "agent_status", "paused").get("reason").asText());
        obeyed(assistant, "pause");
        command(assistant, "resume", "{}", "running");
        expect(assistant, "agent_status", "running");
        obeyed(assistant, "resume");
        command(planner, "complete", "{\"result\":{\"steps\":3}}", "completed");
        expect(planner, "agent_status", "completed");
        JsonNode cancelled = call("DELETE", "/agent-sessions/" + assistant + "?reason=Enough", null);
        check("the assistant", "cancelled", cancelled.at("/session/status").asText());
        check(
                "the event's reason",
                "Enough",
                expect(assistant, "agent_status", "cancelled").get("reason").asText());
        obeyed(assistant, "cancel");

        long ttl = lease.get("ttl_seconds").asLong();
        say("\nThe builder falls silent; after " + ttl + " s the sweep should find it …");
        JsonNode swept = expect(builder, "agent_status", "error", Duration.ofSeconds(ttl + 30));
        check("the event's reason", "stale", swept.get("reason").asText());
        JsonNode session = call("GET", "/agent-sessions/" + builder, null).get("session");
        say("Its error: " + session.get("error_message").asText());
        check("the builder is terminal", "true", session.get("is_terminal").asText());

        check(
                "live sessions",
                "0",
                call("GET", "/workspaces/" + workspace + "/agent-sessions", null)
                        .get("total")
                        .asText());
        check(
                "all sessions",
                "3",
                call("GET", "/workspaces/" + workspace + "/agent-sessions?status=all", null)
                        .get("total")
                        .asText());
        check("events left over", "[]", seen.toString());
        talk(workspace);
    }

    /** A planner is asked, asks back, and goes on with the answer. */
    private void talk(String workspace) throws Exception {
        String chats = "/workspaces/" + workspace + "/chats";
        String chat = call("POST", chats, "{\"agent_type\":\"planner\",\"goal\":\"Ship the release\"}")
                .get("chat_id")
                .asText();
        say("\nA chat with a planner: " + chat);
        call("POST", chats + "/" + chat, "{\"content\":\"What is to be done?\"}");
        JsonNode asked = hear("question_pending");
        say("It asks: " + asked.get("question").asText());
        JsonNode waits = call("GET", "/workspaces/" + workspace + "/attention", null);
        check(
                "what waits for a person",
                asked.get("question_id").asText(),
                waits.at("/items/0/question_id").asText());
        call("POST", chats + "/" + chat + "/answers", "{\"answer\":{\"go_on\":true}}");
        say("It answers: " + hear("done").get("message").asText());
    }

    /** The data of the next event of this type; prints those on the way to it. */
    private JsonNode hear(String type) throws InterruptedException {
        while (true) {
            JsonNode next = seen.poll(10, TimeUnit.SECONDS);
            if (next == null) {
                throw new IllegalStateException("no " + type + " within 10 s");
            }
            say("  SSE  " + next.get("event").asText() + "  " + next.get("data"));
            if (next.get("event").asText().equals(type)) {
                return next.get("data");
            }
        }
    }

    private String create(String workspace, String type, String mode, String hosting) throws Exception {
        JsonNode session = call(
                        "POST",
                        "/workspaces/" + workspace + "/agent-sessions",
                        "{\"agent_type\":\"" + type + "\",\"model\":\"demo\",\"hosting\":\"" + hosting + "\"}")
                .get("session");
        say("A session: " + type + " " + session.get("id").asText());
        check("its mode", mode, session.get("mode").asText());
        expect(session.get("id").asText(), "agent_status", "idle");
        return session.get("id").asText();
    }

    private void command(String session, String command, String body, String status) throws Exception {
        JsonNode answer = call("POST", "/agent-sessions/" + session + "/" + command, body);
        check(command, status, answer.at("/session/status").asText());
    }

    /** The server that hosts the session says that it has the command, and that it has carried it out. */
    private void obeyed(String session, String command) throws InterruptedException {
        for (String state : List.of("accepted", "delivered", "applied")) {
            check(
                    "the command",
                    command,
                    expect(session, "agent_command", state).get("command").asText());
        }
    }

    private JsonNode call(String method, String path, String body) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + "/api/v1" + path))
                .timeout(Duration.ofSeconds(20))
                .header("Content-Type", "application/json")
                .method(
                        method,
                        body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        HttpResponse<String> response = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() >= 300) {
            throw new IllegalStateException(method + " " + path + ": " + response.statusCode() + " " + response.body());
        }
        return JSON.readTree(response.body());
    }

    /** Attaches the SSE client; every event's data, with its type, ends in {@link #seen}. */
    private void follow(String path) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/api/v1" + path))
                .header("Authorization", "Bearer " + token)
                .header("Accept", "text/event-stream")
                .build();
        HttpResponse<InputStream> stream = HTTP.send(request, HttpResponse.BodyHandlers.ofInputStream());
        check("the stream", "200", Integer.toString(stream.statusCode()));
        Thread.ofVirtual().start(() -> {
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8))) {
                String type = null;
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.startsWith("event: ")) {
                        type = line.substring(7);
                    } else if (line.startsWith("data: ")) {
                        seen.add(JSON.createObjectNode()
                                .put("event", type)
                                .set("data", JSON.readTree(line.substring(6))));
                    }
                }
            } catch (IOException e) {
                say("the stream was cut: " + e);
            }
        });
        JsonNode open = seen.poll(10, TimeUnit.SECONDS);
        check(
                "the first event",
                "stream_open",
                open == null ? "none" : open.get("event").asText());
    }

    private JsonNode expect(String session, String event, String value) throws InterruptedException {
        return expect(session, event, value, Duration.ofSeconds(10));
    }

    /** The next event must be this one. */
    private JsonNode expect(String session, String event, String value, Duration within) throws InterruptedException {
        JsonNode next = seen.poll(within.toMillis(), TimeUnit.MILLISECONDS);
        if (next == null) {
            throw new IllegalStateException("no event within " + within + "; expected " + event + " " + value);
        }
        JsonNode data = next.get("data");
        say("  SSE  " + next.get("event").asText() + "  " + data);
        check("the event", event, next.get("event").asText());
        check("its session", session, data.get("session_id").asText());
        check(
                "its value",
                value,
                data.get(
                                switch (event) {
                                    case "agent_task" -> "task";
                                    case "agent_command" -> "state";
                                    default -> "status";
                                })
                        .asText());
        return data;
    }

    private static void check(String what, String expected, String actual) {
        if (!expected.equals(actual)) {
            throw new IllegalStateException(what + ": expected " + expected + ", got " + actual);
        }
    }

    private void say(String line) {
        out.println(line);
    }
}
