package ai.buildscale.agents.engine;

/** A failure that ends a turn; its message is for people to read. */
public class EngineFailure extends RuntimeException {
    private final boolean passing;

    /** @param passing whether it may go well another time: a limit, an overload, a network */
    public EngineFailure(String message, boolean passing, Throwable cause) {
        super(message, cause);
        this.passing = passing;
    }

    public boolean isPassing() {
        return passing;
    }
}
