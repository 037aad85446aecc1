package ai.buildscale.agents.server;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Servers;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Sessions that are told to go to another server. */
@Tag("jvm")
class SessionMigrationIT {
    private static Servers servers;
    private static Api api;
    private static String workspace;

    @BeforeAll
    static void start() {
        servers = Servers.start(3);
        api = servers.operator();
        workspace = api.newWorkspace();
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    private static Api.Reply migrate(String session, String target, String... headers) {
        String body = target == null ? "{}" : "{\"server_id\":\"" + target + "\"}";
        return api.post("/agent-sessions/" + session + "/migrate", body, headers);
    }

    private static String on(int server) {
        return servers.sessionsOn(server, 1, api, workspace).getFirst();
    }

    @Test
    void goesToTheServerThatIsNamed() {
        String id = on(1);
        api.command(id, "start", "{\"task\":\"t\"}").expect(200);

        JsonNode answer = migrate(id, servers.id(2)).expect(200);

        assertThat(answer.at("/session/server_hostname").asText()).isEqualTo("s2");
        assertThat(answer.at("/session/epoch").asInt()).isEqualTo(2);
        assertThat(answer.at("/session/status").asText()).isEqualTo("running");
        JsonNode command = answer.get("command");
        assertThat(command.get("state").asText()).isEqualTo("applied");
        assertThat(command.get("accepted_at").asText())
                .isLessThan(command.get("delivered_at").asText());
        assertThat(command.get("delivered_at").asText())
                .isLessThan(command.get("applied_at").asText());
        assertThat(api.history(id).stream().map(SessionMigrationIT::told))
                .containsExactly(
                        "agent_status idle",
                        "agent_status running",
                        "agent_task ",
                        "agent_command accepted",
                        "agent_command delivered",
                        "agent_migrated requested",
                        "agent_command applied");
    }

    private static String told(JsonNode event) {
        JsonNode data = event.get("data");
        String what = switch (event.get("event").asText()) {
            case "agent_status" -> data.get("status").asText();
            case "agent_command" -> data.get("state").asText();
            case "agent_migrated" -> data.get("reason").asText();
            default -> "";
        };
        return event.get("event").asText() + " " + what;
    }

    @Test
    void goesWherePlacementSaysIfNoneIsNamed() {
        String id = on(1);

        JsonNode answer = migrate(id, null).expect(200);

        assertThat(answer.at("/session/server_hostname").asText()).isIn("s2", "s3");
    }

    @Test
    void staysWhereItIsIfThatIsNamed() {
        String id = on(2);

        JsonNode answer = migrate(id, servers.id(2)).expect(200);

        assertThat(answer.get("command").isNull()).isTrue();
        assertThat(answer.at("/session/epoch").asInt()).isEqualTo(1);
        assertThat(api.get("/agent-sessions/" + id + "/commands").expect(200).get("commands"))
                .isEmpty();
    }

    @Test
    void isRefusedWithAReason() {
        String ended = on(1);
        api.delete("/agent-sessions/" + ended).expect(200);
        assertThat(migrate(ended, null)
                        .expectProblem(409, "CONFLICT")
                        .get("current_status")
                        .asText())
                .isEqualTo("cancelled");
        String external = api.newExternalSession(workspace).get("id").asText();
        migrate(external, null).expectProblem(409, "CONFLICT");
        migrate(UUID.randomUUID().toString(), null).expectProblem(404, "NOT_FOUND");
        String id = on(1);
        assertThat(migrate(id, UUID.randomUUID().toString())
                        .expectProblem(400, "VALIDATION_ERROR")
                        .at("/fields/server_id")
                        .asText())
                .isNotEmpty();
        api.post("/agent-sessions/" + id + "/migrate", "{\"server_id\":\"x\"}").expectProblem(400, "VALIDATION_ERROR");
        api.post("/agent-sessions/" + id + "/migrate", "{\"epoch\":1}").expectProblem(400, "VALIDATION_ERROR");
        Api.user(servers.get(1))
                .post("/agent-sessions/" + id + "/migrate", "{}")
                .expectProblem(403, "FORBIDDEN");
        String cordoned = servers.id(3);
        api.post("/servers/" + cordoned + "/cordon", null).expect(200);
        try {
            await().untilAsserted(() -> assertThat(migrate(id, cordoned)
                            .expectProblem(409, "CONFLICT")
                            .get("state")
                            .asText())
                    .isEqualTo("cordoned"));
        } finally {
            api.post("/servers/" + cordoned + "/uncordon", null).expect(200);
        }
        assertThat(api.session(id).get("epoch").asInt()).isEqualTo(1);
    }

    @Test
    void rivalsMoveItOnceEach() {
        String id = on(1);

        List<Integer> answers = AtOnce.run(20, _ -> migrate(id, null).status());

        assertThat(answers).containsAnyOf(200).isSubsetOf(200, 409);
        await().until(() -> commands(id).stream()
                .allMatch(command -> !command.get("applied_at").isNull()));
        long moved = commands(id).stream()
                .filter(command -> command.get("state").asText().equals("applied"))
                .count();
        assertThat(api.session(id).get("epoch").asLong()).isEqualTo(1 + moved);
    }

    private static List<JsonNode> commands(String id) {
        List<JsonNode> all = new java.util.ArrayList<>();
        api.get("/agent-sessions/" + id + "/commands")
                .expect(200)
                .get("commands")
                .forEach(all::add);
        return all;
    }

    @Test
    void oneKeyMovesItOnce() {
        String id = on(1);
        JsonNode first = migrate(id, null, "Idempotency-Key", "move-" + id).expect(200);

        JsonNode again = migrate(id, null, "Idempotency-Key", "move-" + id).expect(200);

        assertThat(again.at("/command/id")).isEqualTo(first.at("/command/id"));
        assertThat(api.session(id).get("epoch").asInt()).isEqualTo(2);
        assertThat(commands(id)).hasSize(1);
    }

    @Test
    void commandsThatArriveMeanwhileAreCarriedOutOnce() {
        String id = on(1);
        for (int i = 0; i < 10; i++) {
            AtOnce.run(4, n -> switch (n) {
                case 0 -> migrate(id, null).status();
                case 1 -> api.at(servers.get(2)).command(id, "pause", "{}").status();
                case 2 -> api.at(servers.get(3)).command(id, "resume", "{}").status();
                default -> api.command(id, "start", "{}").status();
            });
        }

        await().until(() -> commands(id).stream()
                .noneMatch(command -> command.get("applied_at").isNull()));
        List<JsonNode> history = api.history(id);
        for (JsonNode command : commands(id)) {
            for (String state : List.of("accepted", "applied")) {
                assertThat(history.stream()
                                .filter(event -> event.at("/data/command_id").equals(command.get("id")))
                                .filter(event ->
                                        event.at("/data/state").asText().equals(state)))
                        .as(state + " of " + command)
                        .hasSize(1);
            }
        }
    }

    @Test
    void anOwnerThatIsSlowLosesTheSession() {
        String id = on(2);
        try (Servers slow = Servers.start(3, Map.of("server.lost-after", "60S"))) {
            Api operator = slow.operator();
            String hung =
                    slow.sessionsOn(2, 1, operator, operator.newWorkspace()).getFirst();
            slow.signal(2, "STOP");

            Instant asked = Instant.now();
            JsonNode answer = operator.post("/agent-sessions/" + hung + "/migrate?wait=20", "{}")
                    .expect(200);

            assertThat(Duration.between(asked, Instant.now())).isGreaterThan(Duration.ofSeconds(1));
            assertThat(answer.at("/command/state").asText()).isEqualTo("applied");
            assertThat(answer.at("/session/epoch").asInt()).isEqualTo(2);
            assertThat(answer.at("/session/server_hostname").asText()).isNotEqualTo("s2");
            slow.signal(2, "CONT");
            JsonNode paused = operator.post("/agent-sessions/" + hung + "/pause?wait=10", "{}")
                    .expect(200);
            assertThat(paused.at("/command/server_id")).isEqualTo(answer.at("/session/server_id"));
        }
        assertThat(api.session(id).get("epoch").asInt()).isEqualTo(1);
    }

    @Test
    void aTargetThatDiesHalfwayIsReplaced() throws InterruptedException {
        try (Servers fleet = Servers.start(3)) {
            Api operator = fleet.operator();
            String space = operator.newWorkspace();
            String id = fleet.sessionsOn(2, 1, operator, space).getFirst();
            String doomed = fleet.id(3);
            // the owner does not act until the target is dead
            fleet.signal(2, "STOP");
            operator.post("/agent-sessions/" + id + "/migrate?wait=0", "{\"server_id\":\"" + doomed + "\"}")
                    .expect(200);
            fleet.get(3).kill();
            fleet.signal(2, "CONT");

            // once the dead one is noticed, and nobody is to go there any more
            await().until(() -> fleet.list().stream()
                    .anyMatch(server -> server.get("id").asText().equals(doomed)
                            && server.get("state").asText().equals("gone")
                            && server.get("sessions").asInt() == 0));
            await().until(() -> operator.get("/agent-sessions/" + id + "/commands")
                    .expect(200)
                    .get("commands")
                    .valueStream()
                    .noneMatch(command -> command.get("applied_at").isNull()));
            JsonNode moved = operator.session(id);
            assertThat(moved.get("server_hostname").asText()).isIn("s1", "s2");
            assertThat(moved.get("status").asText()).isEqualTo("idle");
        }
    }
}
