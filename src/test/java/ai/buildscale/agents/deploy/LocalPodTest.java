package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.DevKeys;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The pod that ImageCheck runs is what the files of deploy/ make together. */
class LocalPodTest {
    private final LocalPod pod = new LocalPod();

    @Test
    void itIsToldWhatBaseAndOverlaySay() {
        Map<String, String> environment = pod.environment(Map.of("agent-sessions-database/url", "postgresql://other"));

        assertThat(environment)
                .containsEntry("LOG_JSON", "true")
                .containsEntry("DATABASE_POOL", "16")
                .containsEntry("JWT_ISSUER", DevKeys.ISSUER)
                .containsEntry("JWT_AUDIENCE", DevKeys.AUDIENCE)
                .containsEntry("JWT_KEYS", "file:/keys/jwt.pub.pem")
                .containsEntry("DATABASE_URL", "postgresql://other")
                .containsEntry("SERVER_HOSTNAME", LocalPod.NAME)
                .containsEntry("SERVER_URL", "http://127.0.0.1:" + Settings.port());
    }

    @Test
    void itMayWriteTmpAndReadItsKeys() {
        assertThat(pod.tmp()).isEqualTo(64 << 20);
        assertThat(pod.readOnlyMounts()).containsExactly("/keys");
        assertThat(pod.limit("memory")).isEqualTo(768 << 20);
        assertThat(pod.limit("cpu")).isEqualTo(2);
    }
}
