package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same over HTTP/2, whether a request opens the connection (it is upgraded then) or comes later. */
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class Http2IT {
    private static final Service SERVICE = Service.shared();
    private static final Api USER = Api.user(SERVICE);

    private static HttpClient client(boolean connected) throws IOException, InterruptedException {
        HttpClient client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_2)
                .connectTimeout(Duration.ofSeconds(5))
                .build();
        if (connected) {
            send(client, "GET", "/workspaces", BodyPublishers.noBody());
        }
        return client;
    }

    private static HttpRequest request(String method, String path, BodyPublisher body) {
        return HttpRequest.newBuilder(URI.create(SERVICE.url("/api/v1" + path)))
                .timeout(Duration.ofSeconds(20))
                .header("Authorization", "Bearer " + USER.token())
                .header("Content-Type", "application/json")
                .method(method, body)
                .build();
    }

    private static Api.Reply send(HttpClient client, String method, String path, BodyPublisher body)
            throws IOException, InterruptedException {
        HttpResponse<String> response = client.send(request(method, path, body), HttpResponse.BodyHandlers.ofString());
        assertThat(response.version()).isEqualTo(HttpClient.Version.HTTP_2);
        return new Api.Reply(response.statusCode(), response.headers(), response.body());
    }

    private static BodyPublisher announced(String json) {
        return BodyPublishers.ofString(json);
    }

    private static BodyPublisher unannounced(String json) {
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        return BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void readsAndWrites(boolean connected) throws Exception {
        String name = "{\"name\":\"HTTP/2\"}";
        for (BodyPublisher body : new BodyPublisher[] {announced(name), unannounced(name)}) {
            try (HttpClient client = client(connected)) {
                JsonNode made = send(client, "POST", "/workspaces", body).expect(201);
                String path = "/workspaces/" + made.at("/workspace/id").asText();
                send(client, "GET", path, BodyPublishers.noBody()).expect(200);
                send(client, "DELETE", path, BodyPublishers.noBody()).expect(200);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void commandsWithoutABody(boolean connected) throws Exception {
        JsonNode session = USER.newSession(USER.newWorkspace(), "{\"agent_type\":\"builder\",\"model\":\"m\"}");
        try (HttpClient client = client(connected)) {
            String path = "/agent-sessions/" + session.get("id").asText() + "/start";
            send(client, "POST", path, BodyPublishers.noBody()).expect(200);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void bodiesThatAreTooLargeAreRefused(boolean connected) throws Exception {
        String blanks = " ".repeat(3 << 20);
        try (HttpClient client = client(connected)) {
            send(client, "POST", "/workspaces", announced(blanks)).expectProblem(413, "PAYLOAD_TOO_LARGE");
        }
        int before = USER.get("/workspaces").expect(200).get("count").asInt();
        try (HttpClient client = client(connected)) {
            assertThat(send(client, "POST", "/workspaces", unannounced(blanks)).status())
                    .isEqualTo(413);
        } catch (IOException e) {
            // Quarkus answers, and ends the connection: that may overtake the answer, or meet the rest of the body
            assertThat(e.getMessage()).containsPattern("EOF|Broken pipe|Connection reset");
        }
        assertThat(USER.get("/workspaces").expect(200).get("count").asInt()).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void refusalsSayWhy(boolean connected) throws Exception {
        try (HttpClient client = client(connected)) {
            HttpRequest coded = HttpRequest.newBuilder(
                            request("POST", "/workspaces", announced("{\"name\":\"x\"}")), (_, _) -> true)
                    .header("Content-Encoding", "gzip")
                    .build();
            HttpResponse<String> refused = client.send(coded, HttpResponse.BodyHandlers.ofString());

            new Api.Reply(refused.statusCode(), refused.headers(), refused.body())
                    .expectProblem(415, "UNSUPPORTED_MEDIA_TYPE");
            assertThat(refused.headers().firstValue("accept-encoding")).hasValue("identity");
            send(client, "GET", "/workspaces?label=%ff", BodyPublishers.noBody())
                    .expectProblem(400, "VALIDATION_ERROR");
            send(client, "GET", "/workspaces", BodyPublishers.noBody()).expect(200);
        }
    }

    @Test
    void whatIsRefusedUnreadLeavesTheConnectionAsItIs() throws Exception {
        try (HttpClient client = client(true)) {
            send(client, "POST", "/workspaces", announced("{\"name\":5}")).expectProblem(400, "VALIDATION_ERROR");
            send(client, "GET", "/nowhere", BodyPublishers.noBody()).expectProblem(404, "NOT_FOUND");
            send(client, "GET", "/workspaces", BodyPublishers.noBody()).expect(200);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void streams(boolean connected) throws Exception {
        String workspace = USER.newWorkspace();
        JsonNode session = USER.newSession(workspace, "{\"agent_type\":\"builder\",\"model\":\"m\"}");
        try (HttpClient client = client(connected)) {
            HttpRequest request =
                    request("GET", "/workspaces/" + workspace + "/events?snapshot=true", BodyPublishers.noBody());
            HttpResponse<InputStream> stream = client.send(request, HttpResponse.BodyHandlers.ofInputStream());
            assertThat(stream.version()).isEqualTo(HttpClient.Version.HTTP_2);
            assertThat(stream.statusCode()).isEqualTo(200);
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8))) {
                await(lines, "event: snapshot");
                USER.command(session.get("id").asText(), "start", "{}").expect(200);
                await(lines, "event: agent_status");
            }
            client.shutdownNow();
        }
    }

    private static void await(BufferedReader lines, String wanted) throws IOException {
        String line;
        do {
            line = lines.readLine();
            assertThat(line).isNotNull();
        } while (!line.equals(wanted));
    }
}
