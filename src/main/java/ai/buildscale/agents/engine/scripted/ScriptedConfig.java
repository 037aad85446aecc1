package ai.buildscale.agents.engine.scripted;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Settings of the scripted engine. */
@ConfigMapping(prefix = "scripted")
interface ScriptedConfig {
    /** The pause between two chunks, unless the message sets another; 0 for none. */
    @WithDefault("20MS")
    Duration chunkDelay();
}
