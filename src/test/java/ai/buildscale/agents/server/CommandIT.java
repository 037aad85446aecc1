package ai.buildscale.agents.server;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands to the owners of hosted sessions, given at one server and carried out by another. */
class CommandIT {
    private static Servers servers;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        // nobody is lost: what hangs keeps its sessions, but for what is fenced
        servers = Servers.start(2, Map.of("server.lost-after", "60S"));
        owner = Api.user(servers.get(1));
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    /** A new running session of the second server; commands go to the first. */
    private static JsonNode running() {
        String id = servers.sessionsOn(2, 1, owner, workspace).getFirst();
        return owner.command(id, "start", "{}").expect(200).get("session");
    }

    private static List<JsonNode> commands(String id) {
        List<JsonNode> all = new ArrayList<>();
        owner.get("/agent-sessions/" + id + "/commands")
                .expect(200)
                .get("commands")
                .forEach(all::add);
        return all;
    }

    private static List<String> states(String id) {
        return owner.history(id).stream()
                .filter(event -> event.get("event").asText().equals("agent_command"))
                .map(event -> event.at("/data/command").asText() + " "
                        + event.at("/data/state").asText())
                .toList();
    }

    @Test
    void eachStepHasItsTimeAndIsOnTheStream() {
        JsonNode session = running();
        String id = session.get("id").asText();
        try (SseStream stream = owner.stream(
                "/workspaces/" + workspace + "/chats/" + session.get("chat_id").asText() + "/events")) {
            JsonNode accepted = owner.command(id, "pause", "{}").expect(200).get("command");
            assertThat(accepted.get("state").asText()).isIn("accepted", "delivered");
            assertThat(accepted.get("command").asText()).isEqualTo("pause");
            assertThat(accepted.get("server_id")).isEqualTo(session.get("server_id"));

            stream.await(event ->
                    event.type().equals("agent_command") && event.text("state").equals("applied"));

            assertThat(states(id)).containsExactly("pause accepted", "pause delivered", "pause applied");
            assertThat(stream.events().stream()
                            .filter(event -> event.type().equals("agent_command"))
                            .map(event -> event.text("state")))
                    .containsExactly("accepted", "delivered", "applied");
            JsonNode applied = commands(id).getFirst();
            assertThat(applied.get("id")).isEqualTo(accepted.get("id"));
            assertThat(applied.get("state").asText()).isEqualTo("applied");
            assertThat(applied.get("accepted_at").asText())
                    .isLessThan(applied.get("delivered_at").asText());
            assertThat(applied.get("delivered_at").asText())
                    .isLessThan(applied.get("applied_at").asText());
            assertThat(applied.get("fenced").asBoolean()).isFalse();
            assertThat(owner.get("/agent-sessions/" + id + "/commands/"
                                    + applied.get("id").asText())
                            .expect(200)
                            .get("command"))
                    .isEqualTo(applied);
            assertThat(owner.session(id).get("version").asInt())
                    .as("what the owner does to a command is no change of the session")
                    .isEqualTo(session.get("version").asInt() + 1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pause", "resume", "cancel"})
    void theAnswerCanBeHeldUntilItIsApplied(String command) {
        String id = running().get("id").asText();
        if (command.equals("resume")) {
            owner.command(id, "pause", "{}").expect(200);
        }

        Api.Reply reply = command.equals("cancel")
                ? owner.delete("/agent-sessions/" + id + "?wait=10")
                : owner.post("/agent-sessions/" + id + "/" + command + "?wait=10", "{}");

        JsonNode answer = reply.expect(200).get("command");
        assertThat(answer.get("command").asText()).isEqualTo(command);
        assertThat(answer.get("state").asText()).isEqualTo("applied");
        assertThat(answer.get("applied_at").isNull()).isFalse();
    }

    @Test
    void aRepeatShowsTheCommandThatItRepeats() {
        String id = running().get("id").asText();
        JsonNode first =
                owner.delete("/agent-sessions/" + id + "?wait=10").expect(200).get("command");

        JsonNode again =
                owner.delete("/agent-sessions/" + id + "?wait=10").expect(200).get("command");

        assertThat(again).isEqualTo(first);
        assertThat(commands(id)).hasSize(1);
    }

    @Test
    void theAnswerThatWasHeldIsTheOneThatARepeatOfItsKeyGets() {
        String id = running().get("id").asText();
        String path = "/agent-sessions/" + id + "/pause?wait=10";
        JsonNode first = owner.post(path, "{}", "Idempotency-Key", id).expect(200);

        assertThat(first.at("/command/state").asText()).isEqualTo("applied");
        assertThat(owner.post(path, "{}", "Idempotency-Key", id).expect(200)).isEqualTo(first);
    }

    @Test
    void aSessionHostedOutsideHasNone() {
        String id = owner.newExternalSession(workspace).get("id").asText();

        JsonNode answer =
                owner.post("/agent-sessions/" + id + "/pause?wait=10", "{}").expect(200);

        assertThat(answer.get("command").isNull()).isTrue();
        assertThat(commands(id)).isEmpty();
        assertThat(states(id)).isEmpty();
    }

    @Test
    void whatIsNotYoursIsNotShown() {
        String id = running().get("id").asText();
        String command = owner.post("/agent-sessions/" + id + "/pause", "{}")
                .expect(200)
                .at("/command/id")
                .asText();
        Api stranger = Api.user(servers.get(2));

        stranger.get("/agent-sessions/" + id + "/commands").expectProblem(403, "FORBIDDEN");
        stranger.get("/agent-sessions/" + id + "/commands/" + command).expectProblem(403, "FORBIDDEN");
        owner.get("/agent-sessions/" + id + "/commands/" + UUID.randomUUID()).expectProblem(404, "NOT_FOUND");
        owner.get("/agent-sessions/" + UUID.randomUUID() + "/commands").expectProblem(404, "NOT_FOUND");
        String other = running().get("id").asText();
        owner.get("/agent-sessions/" + other + "/commands/" + command).expectProblem(404, "NOT_FOUND");
        for (String wait : List.of("-1", "31", "x")) {
            assertThat(owner.post("/agent-sessions/" + id + "/resume?wait=" + wait, "{}")
                            .expectProblem(400, "VALIDATION_ERROR")
                            .at("/fields/wait")
                            .asText())
                    .isNotEmpty();
        }
        assertThat(owner.session(id).get("status").asText()).isEqualTo("paused");
    }

    @Test
    void whatIsStillOpenWhenTheSessionEndsEndsItsStream() {
        for (int i = 0; i < 20; i++) {
            JsonNode session = running();
            String id = session.get("id").asText();
            String events = "/workspaces/" + workspace + "/chats/"
                    + session.get("chat_id").asText() + "/events";
            try (SseStream stream = owner.stream(events, "Last-Event-ID", "0")) {
                owner.command(id, "pause", "{}").expect(200);
                owner.command(id, "resume", "{}").expect(200);
                owner.command(id, "complete", "{}").expect(200);

                stream.awaitEnd();

                assertThat(stream.ids())
                        .isEqualTo(owner.history(id).stream()
                                .map(event -> event.get("position").asText())
                                .toList());
                assertThat(states(id)).hasSize(6);
                try (SseStream drained = owner.stream(events, "Last-Event-ID", stream.lastId())) {
                    assertThat(drained.status()).isEqualTo(204);
                }
            }
        }
    }

    @Test
    void manyAreCarriedOutInOrder() {
        String id = running().get("id").asText();
        IntStream.range(0, 30)
                .forEach(i ->
                        owner.command(id, i % 2 == 0 ? "pause" : "resume", "{}").expect(200));

        await().until(() -> commands(id).stream()
                .allMatch(command -> command.get("state").asText().equals("applied")));

        assertThat(commands(id).stream()
                        .map(command -> command.get("applied_at").asText()))
                .hasSize(30)
                .isSorted();
        assertThat(states(id).stream().filter(state -> state.endsWith("applied")))
                .containsExactlyElementsOf(IntStream.range(0, 30)
                        .mapToObj(i -> i % 2 == 0 ? "pause applied" : "resume applied")
                        .toList());
    }

    @Test
    void theEndOfASessionDoesNotEndTheStreamOfTheNextInItsChat() {
        JsonNode session = running();
        String id = session.get("id").asText();
        String chat = session.get("chat_id").asText();
        try {
            servers.signal(2, "STOP");
            owner.delete("/agent-sessions/" + id).expect(200);
            String next = owner.newSession(
                            workspace, "{\"agent_type\":\"assistant\",\"model\":\"m\",\"chat_id\":\"" + chat + "\"}")
                    .get("id")
                    .asText();
            try (SseStream stream = owner.stream("/workspaces/" + workspace + "/chats/" + chat + "/events")) {
                stream.await(event -> event.text("session_id").equals(id)
                        && event.text("fenced").equals("true"));

                owner.command(next, "start", "{}").expect(200);

                stream.awaitStatus("running");
                assertThat(stream.isEnded()).isFalse();
            }
        } finally {
            servers.signal(2, "CONT");
        }
    }

    @Test
    void aCancelEndsEvenIfItsOwnerHangs() {
        JsonNode session = running();
        String id = session.get("id").asText();
        String hanging = running().get("id").asText();
        try (SseStream stream = owner.stream(
                "/workspaces/" + workspace + "/chats/" + session.get("chat_id").asText() + "/events")) {
            servers.signal(2, "STOP");
            Instant asked = Instant.now();

            JsonNode early = owner.delete("/agent-sessions/" + id + "?wait=1").expect(200);
            JsonNode paused = owner.command(hanging, "pause", "{}").expect(200);
            assertThat(early.at("/session/status").asText()).isEqualTo("cancelled");
            assertThat(early.at("/command/state").asText()).isEqualTo("accepted");
            assertThat(stream.isEnded()).as("its agent has not stopped yet").isFalse();
            JsonNode late = owner.delete("/agent-sessions/" + id + "?wait=20").expect(200);

            assertThat(Duration.between(asked, Instant.now())).isBetween(Duration.ofSeconds(2), Duration.ofSeconds(15));
            assertThat(late.at("/command/state").asText()).isEqualTo("applied");
            assertThat(late.at("/command/fenced").asBoolean()).isTrue();
            assertThat(late.at("/session/epoch").asInt()).isEqualTo(2);
            stream.awaitEnd();
            assertThat(stream.events().getLast().text("fenced")).isEqualTo("true");
            assertThat(commands(hanging).getFirst().get("state").asText())
                    .as("a pause waits for its owner")
                    .isEqualTo("accepted");

            servers.signal(2, "CONT");
            await().until(() ->
                    commands(hanging).getFirst().get("state").asText().equals("applied"));
            assertThat(owner.session(id).get("epoch").asInt()).isEqualTo(2);
            assertThat(commands(hanging).getFirst().get("id")).isEqualTo(paused.at("/command/id"));
        } finally {
            servers.signal(2, "CONT");
        }
        assertThat(Metrics.of(servers.get(1))
                        .value("sessions_command_time_seconds_count", "command=\"cancel\"", "fenced=\"true\""))
                .isPositive();
    }
}
