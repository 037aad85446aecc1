package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Streams and the connections under them: a stream ends with its connection, and HEAD begins none. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class StreamConnectionsIT {
    private static final int PLACES = 20;

    private static Service service;
    private static Api owner;
    private static String workspace;
    private static String chat;
    private static String session;
    private static String host;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of("events.max-streams", Integer.toString(PLACES), "hosts.keep-alive", "1S"));
        owner = Api.user(service, "agent-host");
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    /** A chat whose agent lives elsewhere, with a message that waits for a host, and a host. */
    @BeforeEach
    void aChatThatWaitsForAHost() {
        JsonNode made = owner.post("/workspaces/" + workspace + "/chats", "{\"hosting\":\"external\",\"model\":\"m\"}")
                .expect(201);
        chat = made.get("chat_id").asText();
        session = made.get("session_id").asText();
        host = owner.post("/agent-hosts", "{\"name\":\"h\"}")
                .expect(201)
                .at("/host/id")
                .asText();
    }

    @AfterEach
    void noPlaceIsTaken() {
        await().untilAsserted(
                        () -> assertThat(service.metric("events_streams_open")).isZero());
        assertThat(owner.delete("/agent-hosts/" + host).status()).isEqualTo(204);
        owner.delete("/agent-sessions/" + session).expect(200);
    }

    private static void say(String content) {
        owner.post("/workspaces/" + workspace + "/chats/" + chat, "{\"content\":\"" + content + "\"}")
                .expect(202);
    }

    private static List<String> streams() {
        return List.of(
                "/workspaces/" + workspace + "/events",
                "/workspaces/" + workspace + "/chats/" + chat + "/events",
                "/agent-hosts/" + host + "/work");
    }

    private static String request(String method, String path) {
        return RawHttp.head(method + " /api/v1" + path + " HTTP/1.1", "Authorization: Bearer " + owner.token());
    }

    private static String status() {
        return owner.session(session).get("status").asText();
    }

    @Test
    void headIsAnsweredWithTheHeadOfTheStreamAndNothingBegins() {
        say("hello");
        for (String path : streams()) {
            try (RawHttp.Connection connection = RawHttp.connect(service)) {
                Api.Reply head = connection.send(request("HEAD", path)).reply();
                assertThat(head.status()).as(path).isEqualTo(200);
                assertThat(head.header("content-type")).startsWith("text/event-stream");
                assertThat(head.header("cache-control")).contains("no-cache").contains("no-transform");

                // the next request on the connection, as a proxy sends another user's
                Api.Reply next = connection
                        .send(request("GET", "/workspaces/" + workspace))
                        .reply();
                assertThat(next.expect(200).at("/workspace/id").asText()).isEqualTo(workspace);
            }
        }
        assertThat(service.metric("events_streams_open")).isZero();
        assertThat(status()).isEqualTo("idle");
    }

    @Test
    void headIsRefusedAsGetIs() {
        for (String path : List.of(
                "/workspaces/" + workspace + "/chats/" + workspace + "/events",
                "/agent-hosts/" + workspace + "/work")) {
            assertThat(owner.send("HEAD", path, (String) null).status())
                    .as(path)
                    .isEqualTo(404);
        }
        for (String path : streams()) {
            assertThat(Api.user(service).send("HEAD", path, (String) null).status())
                    .as(path)
                    .isEqualTo(403);
        }
    }

    @Test
    void headByHttp2EndsItsStreamAndTheConnectionLivesOn() throws IOException, InterruptedException {
        try (HttpClient client =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build()) {
            for (String path : streams()) {
                for (int i = 0; i < 2; i++) {
                    HttpResponse<String> head = client.send(
                            HttpRequest.newBuilder(URI.create(service.url("/api/v1" + path)))
                                    .method("HEAD", HttpRequest.BodyPublishers.noBody())
                                    .header("Authorization", "Bearer " + owner.token())
                                    .timeout(Duration.ofSeconds(10))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());
                    assertThat(head.statusCode()).as(path).isEqualTo(200);
                    assertThat(head.version()).isEqualTo(HttpClient.Version.HTTP_2);
                    assertThat(head.body()).isEmpty();
                }
            }
        }
    }

    /** What waits behind a stream on its connection is dispatched when that closes, and would never hear of it. */
    @Test
    void streamsThatAreBegunOnAClosedConnectionTakeNoPlaces() throws InterruptedException {
        for (int i = 0; i < 2 * PLACES; i++) {
            try (RawHttp.Connection connection = RawHttp.connect(service)) {
                connection
                        .send(request("GET", streams().get(i % 2)))
                        .send(request("GET", streams().get(0)))
                        .readUntil("stream_open");
                TimeUnit.MILLISECONDS.sleep(20);
            }
        }
        await().untilAsserted(
                        () -> assertThat(service.metric("events_streams_open")).isZero());
        try (SseStream stream = owner.stream(streams().getFirst())) {
            stream.awaitOpen();
        }
    }

    @Test
    void streamOfWorkThatIsBegunOnAClosedConnectionTakesNoTurn() throws InterruptedException {
        try (RawHttp.Connection connection = RawHttp.connect(service)) {
            connection
                    .send(request("GET", streams().get(2)))
                    .send(request("GET", streams().get(2)))
                    .send(request("GET", streams().get(2)))
                    .readUntil("retry:");
            TimeUnit.MILLISECONDS.sleep(100);
        }
        TimeUnit.MILLISECONDS.sleep(500);
        String seen = lastSeen();
        say("hello");
        // longer than the host's stream needs to beat and to take what comes
        TimeUnit.MILLISECONDS.sleep(1_500);

        assertThat(lastSeen()).isEqualTo(seen);
        assertThat(status()).isEqualTo("idle");
        JsonNode work = owner.post("/agent-hosts/" + host + "/work?wait=5", "{\"limit\":1}")
                .expect(200)
                .get("work");
        assertThat(work).hasSize(1);
        assertThat(work.at("/0/attempt").asInt()).isEqualTo(1);
    }

    private static String lastSeen() {
        return owner.get("/agent-hosts/" + host)
                .expect(200)
                .at("/host/last_seen")
                .asText();
    }

    @Test
    void nothingIsCarriedOutThatWaitedOnAClosedConnection() throws InterruptedException {
        String body = "{\"name\":\"Nobody's\"}";
        int before = owner.get("/workspaces").expect(200).get("count").asInt();
        try (RawHttp.Connection connection = RawHttp.connect(service)) {
            connection
                    .send(request("GET", streams().getFirst()))
                    .send(RawHttp.head(
                                    "POST /api/v1/workspaces HTTP/1.1",
                                    "Authorization: Bearer " + owner.token(),
                                    "Content-Type: application/json",
                                    "Content-Length: " + body.length())
                            + body)
                    .readUntil("stream_open");
            TimeUnit.MILLISECONDS.sleep(100);
        }
        await().untilAsserted(
                        () -> assertThat(service.metric("events_streams_open")).isZero());

        assertThat(owner.get("/workspaces").expect(200).get("count").asInt()).isEqualTo(before);
    }
}
