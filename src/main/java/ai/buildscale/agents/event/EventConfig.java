package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.IntRange;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Settings of the event log and its streams. */
@ConfigMapping(prefix = "events")
interface EventConfig {
    /** How long an event is held; a stream that resumes from before gets a reset. */
    @WithDefault("7D")
    Duration retention();

    /** How often a server looks for events when no wake-up comes. */
    @WithDefault("1S")
    Duration pollInterval();

    /** The least time between two reads of the log: what arrives meanwhile goes out in one write a connection. */
    @WithDefault("0.004S")
    Duration coalesce();

    /**
     * How many streams a server takes; below {@code quarkus.http.limits.max-connections}, so that requests and probes
     * still find a connection.
     */
    @WithDefault("17000")
    @WithConverter(IntRange.Positive.class)
    int maxStreams();

    /** The silence after which a stream gets a comment; the contract promises one at least every 15 s. */
    @WithDefault("12S")
    Duration keepAlive();

    /** How often the members behind open streams are looked up again. */
    @WithDefault("2S")
    Duration membershipCheck();

    /** What may wait unsent for one connection, in bytes, before writes to it are held back. */
    @WithDefault("262144")
    int writeQueue();

    /** How long a connection may take nothing of what waits for it before it is closed. */
    @WithDefault("60S")
    Duration stallTimeout();

    /** What may wait for one connection behind that, in bytes, before it is closed. */
    @WithDefault("4194304")
    int backlog();
}
