package ai.buildscale.agents.engine;

/** An engine failure ends a turn; people read its message. */
public class EngineFailure extends RuntimeException {
    private final boolean passing;

    /** @param passing whether a retry may succeed: a limit, an overload, a network */
    public EngineFailure(String message, boolean passing, Throwable cause) {
        super(message, cause);
        this.passing = passing;
    }

    public boolean isPassing() {
        return passing;
    }
}
