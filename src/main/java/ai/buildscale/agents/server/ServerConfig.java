package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.IntRange;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Settings of this process as a member of the fleet. The times must be the same on all servers. */
@ConfigMapping(prefix = "server")
interface ServerConfig {
    /** How often the lease is renewed; a second at least, because the scheduler looks once a second. */
    @WithDefault("2S")
    Duration leaseRenewal();

    /** The age of a lease at which its server is lost. */
    @WithDefault("6S")
    Duration lostAfter();

    /** How often each server looks at the others. */
    @WithDefault("0.5S")
    Duration watchInterval();

    /** The name that sessions show; the machine's own where it is not set. */
    Optional<String> hostname();

    /** Where others reach this server; shown, never dialled. */
    Optional<String> url();

    /** How many sessions this server is good for: a weight in placement and the denominator of its load, not a limit. */
    @WithDefault("100000")
    @WithConverter(IntRange.Positive.class)
    int capacity();

    /** What sessions may require, as {@code gpu=true,zone=a}. */
    Optional<List<String>> labels();

    /** How long a server that drains may take before others take over what it still has. */
    @WithDefault("20S")
    Duration drainTimeout();

    /** Whether this server gives sessions away when it has more than its share. */
    @WithDefault("true")
    boolean rebalance();

    /** How often it looks whether it has. */
    @WithDefault("10S")
    Duration rebalanceInterval();

    /** How often rows of servers that are gone are looked for. */
    @WithDefault("1M")
    Duration forgetInterval();

    /** How long the row of a server that is gone is kept, once it owns nothing. */
    @WithDefault("1H")
    Duration forgetAfter();
}
