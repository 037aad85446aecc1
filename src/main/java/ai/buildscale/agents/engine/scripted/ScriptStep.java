package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import java.time.Duration;

/** A step of a script: an output, a silence or a failure. */
sealed interface ScriptStep {
    /** Emits an output after a silence. */
    record Emits(Output output, Duration silence) implements ScriptStep {}

    /** Emits nothing for a while. */
    record Silence(Duration duration) implements ScriptStep {}

    /** Ends the script with a failure. */
    record Fails(RuntimeException failure) implements ScriptStep {}

    static ScriptStep of(Output output) {
        return new Emits(output, Duration.ZERO);
    }
}
