package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Service;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** A request that has a transaction asks for no second connection: a crowd of them would wait for each other. */
class OneConnectionIT {
    private static final int CROWD = 40;
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    private static List<Integer> posted(String path, String body) {
        return AtOnce.run(
                CROWD,
                _ -> OWNER.post(
                                path,
                                body.replace("{uuid}", UUID.randomUUID().toString()),
                                "Idempotency-Key",
                                UUID.randomUUID().toString())
                        .status());
    }

    @Test
    void workspacesWithKeys() {
        assertThat(posted("/workspaces", "{\"name\":\"A\"}")).containsOnly(201);
    }

    @Test
    void membersWithKeys() {
        assertThat(posted("/workspaces/" + WORKSPACE + "/members", "{\"user_id\":\"{uuid}\",\"role\":\"viewer\"}"))
                .containsOnly(201);
    }

    @Test
    void sessionsWithKeys() {
        assertThat(posted(
                        "/workspaces/" + WORKSPACE + "/agent-sessions", "{\"agent_type\":\"planner\",\"model\":\"m\"}"))
                .containsOnly(201);
    }

    @Test
    void commandsAndBeatsWithKeys() {
        String id = OWNER.newSession(WORKSPACE).get("id").asText();

        assertThat(posted("/agent-sessions/" + id + "/pause", "{}")).containsOnly(200);
        assertThat(posted("/agent-sessions/" + id + "/heartbeat", "{\"epoch\":1,\"progress\":true}"))
                .containsOnly(200);
        assertThat(posted("/agent-sessions/heartbeats", "{\"beats\":[{\"id\":\"" + id + "\",\"epoch\":1}]}"))
                .containsOnly(200);
        assertThat(posted("/agent-sessions/" + id + "/yield", "{}")).containsOnly(409);
    }
}
