package ai.buildscale.agents.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Turns that come back: hosts did not read of them, gave them back, or left. Nothing is lost, and nothing looks at work. */
@Tag("jvm")
class HostReturnsIT {
    private static final Duration LEASE = Duration.ofSeconds(2);

    private static Service service;

    private Api owner;
    private String workspace;
    private Talk talk;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of(
                "hosts.turn-lease", LEASE.toString(),
                "hosts.sweep-interval", "1S",
                "chat.max-attempts", "2",
                "sessions.heartbeat-interval", "1S",
                "sessions.stale-threshold", "5S",
                "sessions.inactivity-timeout", "6S",
                "sessions.sweep-interval", "0.5S"));
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    @BeforeEach
    void anew() {
        owner = Api.user(service, "agent-host");
        workspace = owner.newWorkspace();
        talk = talk();
    }

    private Talk talk() {
        return Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
    }

    private Host host() {
        return Host.register(owner, "");
    }

    private static void awaitStatus(Talk talk, String status) {
        await().atMost(Duration.ofSeconds(15))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> talk.session().get("status").asText().equals(status));
    }

    /** Asks for work on a connection whose answers nobody reads. */
    private Socket unread(Host host, String method, String query) throws IOException {
        String request = RawHttp.head(
                method + " /api/v1" + host.path() + "/work" + query + " HTTP/1.1",
                "Authorization: Bearer " + owner.token(),
                "Content-Type: application/json",
                "Content-Length: 0");
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), service.port());
        socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
        return socket;
    }

    @Test
    void workThatNobodyReadIsNoAttempt() throws IOException {
        for (int i = 0; i < 3; i++) {
            try (Socket _ = unread(host(), "POST", "?wait=20")) {
                if (i == 0) {
                    talk.say("Go");
                }
                awaitStatus(talk, "running");
                awaitStatus(talk, "idle");
            }
        }
        assertThat(talk.events("agent_status").getLast().get("reason").asText()).isEqualTo("waits for a host");

        Host good = host();
        JsonNode work = good.next();
        assertThat(work.get("attempt").asInt()).isEqualTo(1);
        assertThat(talk.session().get("status").asText()).isEqualTo("running");
        good.result(work, "done", ",\"message\":\"Yes\"").expect(200);
        assertThat(talk.told()).containsExactly("user: Go", "assistant: Yes");
    }

    @Test
    void aStreamOfWorkThatNobodyReadIsNoAttempt() throws IOException {
        try (Socket socket = unread(host(), "GET", "")) {
            talk.say("Go");
            awaitStatus(talk, "running");
            socket.setSoLinger(true, 0);
        }
        assertThat(host().next().get("attempt").asInt()).isEqualTo(1);
    }

    @Test
    void whoHasGoneIsGivenNothing() throws Exception {
        Host gone = host();
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest.Builder request = HttpRequest.newBuilder().header("Authorization", "Bearer " + owner.token());
            client.send(
                    request.uri(URI.create(service.url("/api/v1" + gone.path())))
                            .build(),
                    HttpResponse.BodyHandlers.discarding());
            CompletableFuture<?> asked = client.sendAsync(
                    request.uri(URI.create(service.url("/api/v1" + gone.path() + "/work?wait=20")))
                            .header("Content-Type", "application/json")
                            .POST(HttpRequest.BodyPublishers.ofString("{}"))
                            .build(),
                    HttpResponse.BodyHandlers.discarding());
            await().pollDelay(Duration.ofMillis(300)).until(() -> true);
            asked.cancel(true);
            await().pollDelay(Duration.ofMillis(300)).until(() -> true);
            talk.say("Go");
            JsonNode work = host().ask(1, 1).getFirst();
            assertThat(work.get("epoch").asInt()).as("it had no other host").isEqualTo(2);
        }
    }

    @Test
    void whoSaysWhatItHasIsGivenTheRestAgainAtOnce() throws IOException {
        Host host = Host.register(owner, ",\"capacity\":1");
        try (Socket _ = unread(host, "POST", "?wait=20")) {
            talk.say("Go");
            awaitStatus(talk, "running");
            JsonNode work = host.ask(List.of()).getFirst();

            assertThat(work.get("epoch").asInt()).isEqualTo(3);
            assertThat(work.get("attempt").asInt()).isEqualTo(1);
            assertThat(host.ask(List.of(work))).as("it has it").isEmpty();
            assertThat(host.ask(List.of())).as("it was heard of it").isEmpty();
            host.result(work, "done", "").expect(200);
        }
        JsonNode wrong = owner.post(host.path() + "/work?wait=0", "{\"turns\":[{\"epoch\":1}]}")
                .expectProblem(400, "VALIDATION_ERROR");
        assertThat(wrong.get("fields").has("turns[0].turn_id")).isTrue();
    }

    @Test
    void aTurnThatKillsItsHostsIsTriedNoMoreOftenThanItMay() {
        talk.say("Go");
        for (int attempt = 1; attempt <= 2; attempt++) {
            Host lost = host();
            JsonNode work = lost.next();
            assertThat(work.get("attempt").asInt()).isEqualTo(attempt);
            assertThat(lost.wanted(work)).isEqualTo("running");
        }
        awaitStatus(talk, "error");
        assertThat(talk.session().get("error_message").asText()).contains("2 times");
    }

    @Test
    void aSessionWhoseHostDiedSilentlyEndsWhereThereIsNoOther() {
        talk.say("Go");
        Host lost = host();
        lost.tell(lost.next(), Host.chunk("one")).expect(200);
        awaitStatus(talk, "error");
        assertThat(talk.session().get("error_message").asText()).startsWith("No heartbeat");
        List<JsonNode> events = owner.history(talk.sessionId());
        assertThat(events.getLast().at("/data/status").asText()).isEqualTo("error");
        assertThat(events.get(events.size() - 2).at("/data/partial_response").asText())
                .isEqualTo("one");
    }

    @Test
    void whatIsGivenBackWaitsForTheNextHostHoweverLong() {
        Host host = host();
        Talk left = talk;
        Talk paused = talk();
        Talk letGo = talk();
        Talk unheard = talk();
        JsonNode work = start(host, left);
        left.say("And then?");
        JsonNode held = start(host, paused);
        paused.command("pause").expect(200);
        host.result(held, "paused", "").expect(200);
        unheard.say("Go");
        host.next();
        host.result(start(host, letGo), "paused", "").expect(200);

        owner.delete(host.path()).expect(204);
        paused.command("resume").expect(200);

        for (Talk one : List.of(left, paused, letGo, unheard)) {
            assertThat(one.session().get("status").asText()).isEqualTo("idle");
            assertThat(one.events("agent_status").getLast().get("reason").asText())
                    .isEqualTo("waits for a host");
        }
        // longer than a silent one lives, and one that nobody uses
        await().during(Duration.ofSeconds(9))
                .atMost(Duration.ofSeconds(11))
                .until(() -> List.of(left, paused, letGo, unheard).stream()
                        .allMatch(one -> one.session().get("status").asText().equals("idle")));
        Host next = host();
        for (int i = 0; i < 4; i++) {
            JsonNode found = next.next();
            assertThat(found.get("attempt").asInt()).isEqualTo(1);
            boolean wasHeard = !found.get("session_id").asText().equals(unheard.sessionId());
            assertThat(found.get("said").asText()).isEqualTo(wasHeard ? "one " : "");
            next.result(found, "done", "").expect(200);
        }
        assertThat(left.told()).contains("assistant: one ", "user: And then?");
        JsonNode behind = next.next();
        assertThat(behind.at("/history/2/content").asText()).isEqualTo("And then?");
        host.result(work, "done", "").expectProblem(404, "NOT_FOUND");
    }

    private static JsonNode start(Host host, Talk talk) {
        talk.say("Go");
        JsonNode work = host.next();
        host.tell(work, Host.chunk("one ")).expect(200);
        return work;
    }

    @Test
    void whatWaitsForAHostIsPausedStoppedAndInterruptedAsWhatRuns() {
        JsonNode given = start(host(), talk);
        leave(given);
        talk.post("Refuse", "reject").expectProblem(409, "CONFLICT");
        talk.command("pause").expect(200);
        talk.command("resume").expect(200);
        assertThat(talk.session().get("status").asText()).isEqualTo("idle");
        Host second = host();
        JsonNode again = second.next();
        assertThat(again.get("turn_id")).isEqualTo(given.get("turn_id"));
        second.result(again, "paused", "").expect(200);
        talk.stop().expect(200);
        try (SseStream stream = talk.stream("Last-Event-ID", "0")) {
            SseStream.Event stopped = stream.await(event -> event.type().equals("stopped"));
            assertThat(stopped.text("reason")).isEqualTo("stopped");
            assertThat(stopped.text("partial_response")).isEqualTo("one ");
        }
        assertThat(second.ask(1, 1)).isEmpty();

        JsonNode third = start(second, talk);
        second.result(third, "paused", "").expect(200);
        talk.post("Urgent", "interrupt").expect(202);
        JsonNode urgent = second.next();
        assertThat(urgent.get("turn_id")).isNotEqualTo(third.get("turn_id"));
        assertThat(talk.told()).endsWith("assistant: one ", "user: Urgent");
    }

    private void leave(JsonNode work) {
        owner.get("/agent-hosts")
                .expect(200)
                .get("hosts")
                .forEach(host ->
                        owner.delete("/agent-hosts/" + host.get("id").asText()).expect(204));
        assertThat(talk.session().get("status").asText()).as("of " + work).isEqualTo("idle");
    }

    @Test
    void aYieldedTurnIsOverAlsoIfItsHostLeaves() {
        Host host = host();
        start(host, talk);
        talk.command("yield").expect(200);
        owner.delete(host.path()).expect(204);
        await().atMost(Duration.ofSeconds(10)).until(() -> talk.told().contains("assistant: one "));
        assertThat(talk.events("stopped").getLast().get("reason").asText()).isEqualTo("yielded");
        assertThat(host().ask(1, 1)).isEmpty();
    }
}
