package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.containsInAnyOrder;
import static org.hamcrest.Matchers.emptyOrNullString;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.notNullValue;
import static org.hamcrest.Matchers.nullValue;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.PostgresResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.ValidatableResponse;
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
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class SessionTransitionsTest {
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

    private final Api owner = Api.newUser();
    private final String id = owner.newSession(owner.newWorkspace()).get("id").asText();

    private ValidatableResponse command(String command, Object body) {
        return owner.given()
                .body(body)
                .post("/agent-sessions/{id}/{command}", id, command)
                .then();
    }

    private ValidatableResponse send(String command) {
        return switch (command) {
            case "cancel" -> owner.given().delete("/agent-sessions/{id}", id).then();
            case "fail" -> command("fail", Map.of("error_message", "it broke"));
            default -> command(command, Map.of());
        };
    }

    private ValidatableResponse read() {
        return owner.given().get("/agent-sessions/{id}", id).then().statusCode(200);
    }

    private Map<String, Object> withoutBeat() {
        Map<String, Object> session = new HashMap<>(read().extract().path("session"));
        session.remove("last_heartbeat");
        return session;
    }

    /** Brings the new session to the state by legal commands; a paused one was running before. */
    private void bringTo(String state) {
        if (!state.equals("idle")) {
            send("start").statusCode(200);
        }
        switch (state) {
            case "paused" -> send("pause").statusCode(200);
            case "completed" -> send("complete").statusCode(200);
            case "cancelled" -> send("cancel").statusCode(200);
            case "error" -> send("fail").statusCode(200);
            default -> {}
        }
    }

    static Stream<Arguments> pairs() {
        return EFFECTS.keySet().stream()
                .flatMap(command -> SUCCESSORS.keySet().stream().map(state -> Arguments.of(state, command)));
    }

    @ParameterizedTest(name = "{1} a session that is {0}")
    @MethodSource("pairs")
    void commandOnState(String state, String command) {
        bringTo(state);
        Map<String, Object> before = withoutBeat();
        String expected = EFFECTS.get(command).get(state);

        ValidatableResponse reply = send(command);

        if (expected == null) {
            reply.spec(problem(409, "CONFLICT"))
                    .body("current_status", is(state))
                    .body(
                            "allowed_transitions",
                            containsInAnyOrder(SUCCESSORS.get(state).toArray()));
            assertThat(withoutBeat()).isEqualTo(before);
        } else {
            int version = (int) before.get("version") + (expected.equals(state) ? 0 : 1);
            boolean terminal = SUCCESSORS.get(expected).isEmpty();
            reply.statusCode(200)
                    .header("ETag", "\"v" + version + "\"")
                    .body("session.status", is(expected))
                    .body("message", not(emptyOrNullString()));
            read().body("session.status", is(expected))
                    .body("session.version", is(version))
                    .body("session.is_terminal", is(terminal))
                    .body("session.completed_at", terminal ? notNullValue() : nullValue());
            assertThat(owner.statuses(id).getLast()).isEqualTo(expected);
        }
    }

    @Test
    void resumesToIdleWhatWasPausedIdle() {
        send("pause").statusCode(200);

        send("resume").statusCode(200).body("session.status", is("idle")).body("session.pause", nullValue());
    }

    @Test
    void resumesToRunningWhatGetsATask() {
        send("pause").statusCode(200);

        command("resume", Map.of("task", "go on"))
                .statusCode(200)
                .body("session.status", is("running"))
                .body("session.current_task", is("go on"));
    }

    @Test
    void resumeNamesThePauseItMeans() {
        String first = send("pause").statusCode(200).extract().path("session.pause.id");
        Map<String, String> body = Map.of("pause_id", first);
        command("resume", body).statusCode(200);

        command("resume", body).statusCode(200);
        send("resume").spec(problem(409, "CONFLICT"));

        send("pause").statusCode(200);
        command("resume", body).spec(problem(409, "CONFLICT")).body("pause_id", not(first));
        read().body("session.status", is("paused"));
    }
}
