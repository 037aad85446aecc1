package ai.buildscale.agents.engine.scripted;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** A directive of a message to the scripted engine. */
enum Directive {
    SAY,
    DELAY,
    WAIT,
    THINK,
    CALL,
    CALL_FAILS,
    ASK,
    MODE,
    TASK,
    USAGE,
    REPEAT,
    FLOOD,
    FAIL,
    FAIL_ONCE,
    BREAK;

    private final String written = "/" + name().toLowerCase(Locale.ROOT).replace('_', '-');

    static Optional<Directive> find(String written) {
        return Arrays.stream(values())
                .filter(directive -> directive.written.equals(written))
                .findFirst();
    }

    /** The directive as a message spells it. */
    @Override
    public String toString() {
        return written;
    }
}
