package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class SseFrameTest {
    @Test
    void isOneServerSentEventInUtf8() {
        SseFrame frame = SseFrame.of(42, UUID.randomUUID(), null, "agent_task", "{\"task\": \"häuser 🏠\"}", false);

        assertThat(frame.bytes().getBytes())
                .isEqualTo("id: 42\nevent: agent_task\ndata: {\"task\": \"häuser 🏠\"}\n\n"
                        .getBytes(StandardCharsets.UTF_8));
    }
}
