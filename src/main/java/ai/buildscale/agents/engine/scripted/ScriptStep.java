package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import java.time.Duration;

/** A step of a script. */
sealed interface ScriptStep {
    /** An output, after a silence. */
    record Emits(Output output, Duration silence) implements ScriptStep {}

    /** Nothing at all, for a while. */
    record Silence(Duration duration) implements ScriptStep {}

    /** The end of it. */
    record Fails(RuntimeException failure) implements ScriptStep {}

    static ScriptStep of(Output output) {
        return new Emits(output, Duration.ZERO);
    }
}
