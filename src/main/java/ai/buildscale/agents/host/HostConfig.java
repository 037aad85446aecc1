package ai.buildscale.agents.host;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Settings of agents hosted elsewhere. Database time decides. */
@ConfigMapping(prefix = "hosts")
interface HostConfig {
    /** The silence after which a host's turn is given to another. */
    @WithDefault("30S")
    Duration turnLease();

    /** The silence after which a host is forgotten. */
    @WithDefault("24H")
    Duration forgetAfter();

    /** How often the fleet looks for turns that hosts have left. */
    @WithDefault("2S")
    Duration sweepInterval();

    /** The silence after which a stream of work gets a comment; the contract promises one at least every 15 s. */
    @WithDefault("12S")
    Duration keepAlive();
}
