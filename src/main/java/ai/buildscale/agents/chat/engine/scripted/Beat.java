package ai.buildscale.agents.chat.engine.scripted;

import ai.buildscale.agents.chat.engine.Output;
import java.time.Duration;

/** A moment of a script. */
sealed interface Beat {
    /** An output, after a silence. */
    record Gives(Output output, Duration silence) implements Beat {}

    /** Nothing at all, for a while. */
    record Silence(Duration duration) implements Beat {}

    /** The end of it. */
    record Fails(RuntimeException failure) implements Beat {}

    static Beat of(Output output) {
        return new Gives(output, Duration.ZERO);
    }
}
