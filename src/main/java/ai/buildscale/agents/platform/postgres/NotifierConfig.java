package ai.buildscale.agents.platform.postgres;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Settings of the notifications between servers; they share the prefix of the event streams' settings. */
@ConfigMapping(prefix = "events")
interface NotifierConfig {
    /** The least time between two notifications that this server sends to the other servers. */
    @WithDefault("0.005S")
    Duration notifyInterval();
}
