package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.IntRange;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import org.eclipse.microprofile.config.spi.Converter;

/** Settings of sessions: when a session is stale, inactive or removed. Database time decides. */
@ConfigMapping(prefix = "sessions")
interface SessionConfig {
    /** How often an agent should beat; only its being shorter than the threshold is looked at. */
    @WithDefault("30S")
    Duration heartbeatInterval();

    /** The silence after which a session is stale. */
    @WithDefault("120S")
    Duration staleThreshold();

    /** How long a hosted session may be idle. */
    @WithDefault("24H")
    Duration inactivityTimeout();

    /** The time without progress after which a running session is shown as stalled. */
    @WithDefault("5M")
    Duration stalledAfter();

    /** How long an ended session is kept. */
    @WithDefault("30D")
    Duration retention();

    /** How long a command is kept once it has been applied. */
    @WithDefault("7D")
    Duration commandRetention();

    /** How long the owner of a session may take to carry out a command before it can lose the session. */
    @WithDefault("5S")
    Duration commandTimeout();

    /** How often the fleet looks for stale and inactive sessions and for pauses that have run out. */
    @WithDefault("5S")
    Duration sweepInterval();

    /** How many sessions one statement of a sweep changes. */
    @WithDefault("500")
    @WithConverter(Batch.class)
    int sweepBatch();

    /** Bounds of {@link #sweepBatch}. */
    class Batch implements Converter<Integer> {
        @Override
        public Integer convert(String value) {
            return IntRange.between(1, SessionSweepSql.MAX_BATCH, value);
        }
    }
}
