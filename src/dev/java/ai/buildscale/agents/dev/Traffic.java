package ai.buildscale.agents.dev;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** What clients and agents ask for all day, over and over: what a JVM in training should learn to do fast. */
final class Traffic {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http;
    private final String url;
    private final String token;
    private final String workspace;

    /** @param version what it speaks: HTTP/1.1 as probes, proxies and most clients do, or HTTP/2 */
    Traffic(HttpClient.Version version, String url, String token) throws IOException, InterruptedException {
        this.http = HttpClient.newBuilder()
                .version(version)
                .connectTimeout(Duration.ofSeconds(2))
                .build();
        this.url = url;
        this.token = token;
        this.workspace = "/workspaces/"
                + call("POST", "/workspaces", "{\"name\":\"Training\"}")
                        .at("/workspace/id")
                        .asText();
    }

    /** Goes through it all that many times, while a stream is open. */
    void flow(int rounds) throws IOException, InterruptedException {
        try (InputStream events = stream()) {
            Thread reader = Thread.ofVirtual().start(() -> drain(events));
            for (int round = 0; round < rounds; round++) {
                session("server");
                session("external");
                talk();
            }
            reader.interrupt();
        }
    }

    private void session(String hosting) throws IOException, InterruptedException {
        String sessions = workspace + "/agent-sessions";
        String id = call(
                        "POST",
                        sessions,
                        "{\"agent_type\":\"builder\",\"model\":\"m\",\"hosting\":\"" + hosting
                                + "\",\"labels\":{\"team\":\"blue\"}}")
                .at("/session/id")
                .asText();
        String session = "/agent-sessions/" + id;
        call("POST", session + "/start", "{\"task\":\"Build\"}");
        for (int read = 0; read < 10; read++) {
            call("GET", session, null);
        }
        call("POST", session + "/heartbeat", "{\"epoch\":1,\"progress\":true}");
        call("POST", "/agent-sessions/heartbeats", "{\"beats\":[{\"id\":\"" + id + "\",\"epoch\":1}]}");
        call("PATCH", session, "{\"current_task\":\"Test\"}");
        call("POST", session + "/pause", "{\"reason\":\"Lunch\"}");
        call("POST", session + "/resume", "{}");
        call("POST", session + "/yield", "{}");
        call("GET", session + "/events?limit=100", null);
        call("GET", session + "/commands", null);
        call("GET", sessions + "?status=idle&label=team:blue&limit=20", null);
        call("DELETE", session + "?reason=Enough", null);
    }

    private void talk() throws IOException, InterruptedException {
        String chats = workspace + "/chats";
        String chat = chats + "/" + call("POST", chats, "{}").get("chat_id").asText();
        call("POST", chat, "{\"content\":\"/delay 1ms\\nOne two three\"}");
        call("GET", chat, null);
        call("GET", chats, null);
        call("GET", workspace + "/attention", null);
    }

    private JsonNode call(String method, String path, String body) throws IOException, InterruptedException {
        HttpRequest request = request(path)
                .header("Content-Type", "application/json")
                .method(
                        method,
                        body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() >= 300) {
            throw new IllegalStateException(method + " " + path + ": " + response.statusCode() + " " + response.body());
        }
        return JSON.readTree(response.body());
    }

    private InputStream stream() throws IOException, InterruptedException {
        HttpRequest request = request(workspace + "/events?snapshot=true").build();
        return http.send(request, HttpResponse.BodyHandlers.ofInputStream()).body();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(url + "/api/v1" + path))
                .timeout(Duration.ofSeconds(20))
                .header("Authorization", "Bearer " + token);
    }

    private static void drain(InputStream events) {
        try {
            events.transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            // it has been closed: the traffic is over
        }
    }
}
