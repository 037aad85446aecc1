package ai.buildscale.agents.contract;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.PostgresResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** A request that has a transaction asks for no second connection: a crowd of them would wait for each other. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class OneConnectionTest {
    private static final int CROWD = 40;

    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();

    private List<Integer> posted(String path, Supplier<Map<String, ?>> body) {
        return AtOnce.run(
                CROWD,
                _ -> owner.given(UUID.randomUUID().toString())
                        .body(body.get())
                        .post(path)
                        .statusCode());
    }

    @Test
    void workspacesWithKeys() {
        assertThat(posted("/workspaces", () -> Map.of("name", "A"))).containsOnly(201);
    }

    @Test
    void membersWithKeys() {
        assertThat(posted(
                        "/workspaces/" + workspace + "/members",
                        () -> Map.of("user_id", UUID.randomUUID(), "role", "viewer")))
                .containsOnly(201);
    }

    @Test
    void sessionsWithKeys() {
        assertThat(posted(
                        "/workspaces/" + workspace + "/agent-sessions",
                        () -> Map.of("agent_type", "planner", "model", "m")))
                .containsOnly(201);
    }

    @Test
    void commandsAndBeatsWithKeys() {
        String id = owner.newSession(workspace).get("id").asText();
        String session = "/agent-sessions/" + id;

        assertThat(posted(session + "/pause", Map::of)).containsOnly(200);
        assertThat(posted(session + "/heartbeat", () -> Map.of("epoch", 1, "progress", true)))
                .containsOnly(200);
        assertThat(posted("/agent-sessions/heartbeats", () -> Map.of("beats", List.of(Map.of("id", id, "epoch", 1)))))
                .containsOnly(200);
        assertThat(posted(session + "/yield", Map::of)).containsOnly(409);
    }
}
