package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every pair of state and command, against the table of the contract. */
class SessionLifecycleIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    /** The contract's table: what each command makes of each state; a state that is missing refuses it. */
    private static final Map<String, Map<String, String>> EFFECTS = new LinkedHashMap<>();

    static {
        EFFECTS.put("start", Map.of("idle", "running", "paused", "running"));
        EFFECTS.put("yield", Map.of("running", "idle"));
        EFFECTS.put("pause", Map.of("idle", "paused", "running", "paused", "paused", "paused"));
        EFFECTS.put("resume", Map.of("paused", "running"));
        EFFECTS.put("complete", Map.of("running", "completed", "paused", "completed"));
        EFFECTS.put("fail", Map.of("running", "error"));
        EFFECTS.put(
                "cancel",
                Map.of("idle", "cancelled", "running", "cancelled", "paused", "cancelled", "cancelled", "cancelled"));
    }

    private static final Map<String, List<String>> SUCCESSORS = Map.of(
            "idle", List.of("running", "paused", "cancelled"),
            "running", List.of("idle", "paused", "completed", "cancelled", "error"),
            "paused", List.of("idle", "running", "completed", "cancelled"),
            "completed", List.of(),
            "cancelled", List.of(),
            "error", List.of());

    static Stream<Arguments> pairs() {
        return EFFECTS.keySet().stream()
                .flatMap(command -> SUCCESSORS.keySet().stream().map(state -> Arguments.of(state, command)));
    }

    @ParameterizedTest(name = "{1} a session that is {0}")
    @MethodSource("pairs")
    void commandOnState(String state, String command) {
        JsonNode before = sessionIn(state);
        String id = before.get("id").asText();
        String expected = EFFECTS.get(command).get(state);

        Api.Reply reply = send(id, command);

        JsonNode after = OWNER.session(id);
        if (expected == null) {
            JsonNode problem = reply.expectProblem(409, "CONFLICT");
            assertThat(problem.get("current_status").asText()).isEqualTo(state);
            assertThat(problem.get("allowed_transitions").valueStream().map(JsonNode::asText))
                    .containsExactlyInAnyOrderElementsOf(SUCCESSORS.get(state));
            assertThat(withoutBeat(after)).isEqualTo(withoutBeat(before));
        } else {
            JsonNode answer = reply.expect(200);
            assertThat(answer.at("/session/status").asText()).isEqualTo(expected);
            assertThat(answer.get("message").asText()).isNotEmpty();
            assertThat(after.get("status").asText()).isEqualTo(expected);
            boolean changed = !expected.equals(state);
            assertThat(after.get("version").asLong())
                    .isEqualTo(before.get("version").asLong() + (changed ? 1 : 0));
            assertThat(reply.header("etag"))
                    .isEqualTo("\"v" + after.get("version").asLong() + "\"");
            assertThat(OWNER.statuses(id).getLast()).isEqualTo(expected);
            assertThat(after.get("is_terminal").asBoolean())
                    .isEqualTo(SUCCESSORS.get(expected).isEmpty());
            assertThat(after.get("completed_at").isNull())
                    .isEqualTo(!SUCCESSORS.get(expected).isEmpty());
        }
    }

    private static Map<String, Object> withoutBeat(JsonNode session) {
        Map<String, Object> fields = new HashMap<>();
        session.properties().forEach(field -> fields.put(field.getKey(), field.getValue()));
        fields.remove("last_heartbeat");
        return fields;
    }

    /** A new session, brought to the state by legal commands; paused ones were running before. */
    private static JsonNode sessionIn(String state) {
        String id = OWNER.newSession(WORKSPACE).get("id").asText();
        if (!state.equals("idle")) {
            send(id, "start").expect(200);
        }
        switch (state) {
            case "paused" -> send(id, "pause").expect(200);
            case "completed" -> send(id, "complete").expect(200);
            case "cancelled" -> send(id, "cancel").expect(200);
            case "error" -> send(id, "fail").expect(200);
            default -> {}
        }
        return OWNER.session(id);
    }

    private static Api.Reply send(String id, String command) {
        return switch (command) {
            case "cancel" -> OWNER.delete("/agent-sessions/" + id);
            case "fail" -> OWNER.command(id, "fail", "{\"error_message\":\"it broke\"}");
            default -> OWNER.command(id, command, "{}");
        };
    }

    @Test
    void resumesToIdleWhatWasPausedIdle() {
        String id = OWNER.newSession(WORKSPACE).get("id").asText();
        send(id, "pause").expect(200);

        JsonNode resumed = send(id, "resume").expect(200);

        assertThat(resumed.at("/session/status").asText()).isEqualTo("idle");
        assertThat(resumed.at("/session/pause").isNull()).isTrue();
    }

    @Test
    void resumesToRunningWhatGetsATask() {
        String id = OWNER.newSession(WORKSPACE).get("id").asText();
        send(id, "pause").expect(200);

        JsonNode resumed = OWNER.command(id, "resume", "{\"task\":\"go on\"}").expect(200);

        assertThat(resumed.at("/session/status").asText()).isEqualTo("running");
        assertThat(resumed.at("/session/current_task").asText()).isEqualTo("go on");
    }

    @Test
    void resumeNamesThePauseItMeans() {
        String id = OWNER.newSession(WORKSPACE).get("id").asText();
        String first = send(id, "pause").expect(200).at("/session/pause/id").asText();
        String body = "{\"pause_id\":\"" + first + "\"}";
        OWNER.command(id, "resume", body).expect(200);

        OWNER.command(id, "resume", body).expect(200);
        send(id, "resume").expectProblem(409, "CONFLICT");

        send(id, "pause").expect(200);
        JsonNode problem = OWNER.command(id, "resume", body).expectProblem(409, "CONFLICT");
        assertThat(problem.get("pause_id").asText()).isNotEqualTo(first);
        assertThat(OWNER.session(id).get("status").asText()).isEqualTo("paused");
    }
}
