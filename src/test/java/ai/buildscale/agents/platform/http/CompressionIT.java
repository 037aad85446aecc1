package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** JSON is compressed for who asks for it, where it pays; and it is the same JSON. */
class CompressionIT {
    private static final Service SERVICE = Service.shared();
    private static final Api USER = Api.user(SERVICE);
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final String LARGE =
            "{\"agent_type\":\"builder\",\"model\":\"m\",\"task\":\"" + "All of it. ".repeat(100) + "\"}";

    private static String workspace;
    private static String session;

    @BeforeAll
    static void sessions() {
        workspace = USER.newWorkspace();
        for (int i = 0; i < 5; i++) {
            session = USER.newSession(workspace, LARGE).get("id").asText();
        }
    }

    private record Answer(HttpResponse<byte[]> response) {
        String header(String name) {
            return response.headers().firstValue(name).orElse(null);
        }

        boolean isCompressed() {
            return "gzip".equals(header("content-encoding"));
        }

        byte[] plain() throws IOException {
            return isCompressed()
                    ? new GZIPInputStream(new ByteArrayInputStream(response.body())).readAllBytes()
                    : response.body();
        }

        JsonNode json() throws IOException {
            return Api.JSON.readTree(plain());
        }
    }

    private static Answer send(String method, String path, String... headers) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(SERVICE.url(path)))
                .version(HttpClient.Version.HTTP_1_1)
                .method(method, HttpRequest.BodyPublishers.noBody())
                .header("Authorization", "Bearer " + USER.token());
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return new Answer(HTTP.send(request.build(), HttpResponse.BodyHandlers.ofByteArray()));
    }

    private static List<String> paths() {
        return List.of(
                "/api/v1/workspaces/" + workspace + "/agent-sessions",
                "/api/v1/agent-sessions/" + session,
                "/api/v1/agent-sessions/" + session + "/events",
                "/q/openapi?format=json");
    }

    @Test
    void longAnswersAreCompressedForWhoAsks() throws Exception {
        for (String path : paths()) {
            Answer plain = send("GET", path);
            Answer compressed = send("GET", path, "Accept-Encoding", "gzip, deflate, br");

            assertThat(plain.isCompressed()).isFalse();
            assertThat(compressed.response().statusCode()).isEqualTo(200);
            assertThat(compressed.isCompressed()).as(path).isTrue();
            assertThat(compressed.response().body())
                    .hasSizeLessThan(plain.response().body().length / 2);
            assertThat(compressed.header("content-length"))
                    .isEqualTo(Integer.toString(compressed.response().body().length));
            assertThat(withoutBeat(compressed)).isEqualTo(withoutBeat(plain));
            assertThat(compressed.header("content-type")).isEqualTo(plain.header("content-type"));
            for (Answer answer : List.of(plain, compressed)) {
                assertThat(answer.header("vary").toLowerCase(Locale.ROOT)).contains("accept-encoding");
            }
        }
    }

    /** Its server may renew its lease between two answers. */
    private static JsonNode withoutBeat(Answer answer) throws IOException {
        JsonNode json = answer.json();
        json.findParents("last_heartbeat").forEach(beating -> ((ObjectNode) beating).remove("last_heartbeat"));
        return json;
    }

    @ParameterizedTest
    @ValueSource(strings = {"identity", "br", "gzip;q=0", "*;q=0"})
    void nobodyElseGetsThemCompressed(String acceptEncoding) throws Exception {
        for (String path : paths()) {
            Answer answer = send("GET", path, "Accept-Encoding", acceptEncoding);

            assertThat(answer.header("content-encoding")).as(path).isNull();
            assertThat(answer.json()).isNotNull();
        }
    }

    @Test
    void shortAnswersAreNot() throws Exception {
        for (String path : List.of("/api/v1/workspaces", "/api/v1/nowhere", "/q/health/live")) {
            Answer answer = send("GET", path, "Accept-Encoding", "gzip");

            assertThat(answer.header("content-encoding")).as(path).isNull();
            assertThat(answer.json()).isNotNull();
        }
    }

    @Test
    void shortAnswersAreTheSameForWhoAsks() throws Exception {
        for (String path : List.of("/api/v1/workspaces/" + workspace, "/api/v1/agent-sessions/nowhere")) {
            Answer plain = send("GET", path);
            Answer asked = send("GET", path, "Accept-Encoding", "gzip");

            assertThat(asked.header("content-encoding")).as(path).isNull();
            assertThat(asked.response().body()).isEqualTo(plain.response().body());
            for (String header : List.of("content-type", "etag", "vary", "cache-control")) {
                assertThat(asked.header(header)).as(header).isEqualTo(plain.header(header));
            }
            for (Answer answer : List.of(plain, asked)) {
                assertThat(answer.header("content-length"))
                        .isEqualTo(Integer.toString(answer.response().body().length));
            }
        }
    }

    @Test
    void theYamlOfTheDocumentIsCompressedToo() throws Exception {
        Answer plain = send("GET", "/q/openapi");
        Answer compressed = send("GET", "/q/openapi", "Accept-Encoding", "gzip");

        assertThat(compressed.isCompressed()).isTrue();
        assertThat(compressed.plain()).isEqualTo(plain.response().body());
        assertThat(compressed.response().body()).hasSizeLessThan(40_000);
    }

    /** The version is the same, the bytes are not: a weak tag says that, and is known again. */
    @Test
    void theEntityTagStaysComparable() throws Exception {
        String path = "/api/v1/agent-sessions/" + session;
        Answer plain = send("GET", path);
        Answer compressed = send("GET", path, "Accept-Encoding", "gzip");

        assertThat(plain.header("etag")).isEqualTo("\"v1\"");
        assertThat(compressed.header("etag")).isEqualTo("W/\"v1\"");
        for (String tag : List.of("\"v1\"", "W/\"v1\"")) {
            for (String coding : List.of("gzip", "identity")) {
                Answer unchanged = send("GET", path, "Accept-Encoding", coding, "If-None-Match", tag);

                assertThat(unchanged.response().statusCode()).isEqualTo(304);
                assertThat(unchanged.response().body()).isEmpty();
                assertThat(unchanged.header("content-encoding")).isNull();
                assertThat(unchanged.header("vary")).containsIgnoringCase("accept-encoding");
                assertThat(unchanged.header("etag")).isNotNull();
            }
        }
    }

    @Test
    void theHeadOfAnAnswerIsThatOfTheAnswer() throws Exception {
        for (String path : paths()) {
            Answer head = send("HEAD", path, "Accept-Encoding", "gzip");

            assertThat(head.response().statusCode()).isEqualTo(200);
            assertThat(head.response().body()).isEmpty();
            assertThat(head.header("content-encoding")).as(path).isEqualTo("gzip");
            assertThat(head.header("vary")).containsIgnoringCase("accept-encoding");
        }
    }

    @Test
    void whatAPostAnswersIsCompressedAndGivenAgain() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(
                        URI.create(SERVICE.url("/api/v1/workspaces/" + workspace + "/agent-sessions")))
                .version(HttpClient.Version.HTTP_1_1)
                .POST(HttpRequest.BodyPublishers.ofString(LARGE))
                .header("Authorization", "Bearer " + USER.token())
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", UUID.randomUUID().toString())
                .header("Accept-Encoding", "gzip")
                .build();

        Answer first = new Answer(HTTP.send(request, HttpResponse.BodyHandlers.ofByteArray()));
        Answer again = new Answer(HTTP.send(request, HttpResponse.BodyHandlers.ofByteArray()));

        for (Answer answer : List.of(first, again)) {
            assertThat(answer.response().statusCode()).isEqualTo(201);
            assertThat(answer.isCompressed()).isTrue();
            assertThat(answer.header("location")).isNotNull();
        }
        assertThat(again.json()).isEqualTo(first.json());
    }

    /** An event that waits in a compressor is late. */
    @Test
    void streamsAreNeverCompressed() {
        String path = "/workspaces/" + workspace + "/events?snapshot=true";
        try (SseStream stream = USER.stream(path, "Accept-Encoding", "gzip, deflate, br, zstd")) {
            assertThat(stream.status()).isEqualTo(200);
            assertThat(stream.header("content-encoding")).isNull();
            stream.await(event -> event.type().equals("snapshot"));
            String id = USER.newSession(workspace).get("id").asText();
            stream.await(event -> id.equals(event.text("session_id")));
        }
    }
}
