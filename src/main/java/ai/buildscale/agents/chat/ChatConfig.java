package ai.buildscale.agents.chat;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;

/** How agents that live here work. */
@ConfigMapping(prefix = "chat")
interface ChatConfig {
    /** The model of a chat that names none. */
    @WithDefault("scripted")
    String defaultModel();

    /** The time without work after which an agent is passivated: its memory is freed until the next message. */
    @WithDefault("10M")
    Duration passivateAfter();

    /** How often a turn is begun, counted anew each time its server is lost, before it fails. */
    @WithDefault("3")
    @Min(1)
    int maxAttempts();

    /** The entries of a chat's history that an engine gets; the oldest are left out. */
    @WithDefault("200")
    @Min(1)
    @Max(2_000)
    int history();

    /** The longest answer, in UTF-16 units; a turn that says more fails. */
    @WithDefault("262144")
    @Min(1_000)
    @Max(1_048_576)
    int maxAnswer();

    /** How often what agents say is shown to those who follow, at most. */
    @WithDefault("0.05S")
    Duration chunkInterval();

    /** How long a hand-over waits for a running turn to come to its end or its next step. */
    @WithDefault("1S")
    Duration safePointWait();
}
