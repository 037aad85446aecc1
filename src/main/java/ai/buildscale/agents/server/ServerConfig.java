package ai.buildscale.agents.server;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Optional;

/** This process as a member of the fleet. */
@ConfigMapping(prefix = "server")
interface ServerConfig {
    /** How often the lease is renewed. */
    @WithDefault("2S")
    Duration leaseRenewal();

    /** The name that sessions show; the machine's own where it is not set. */
    Optional<String> hostname();
}
