package ai.buildscale.agents.event;

/** Lets the benchmarks run the very statements that the service runs. */
public final class EventStatements {
    private EventStatements() {}

    public static String tail() {
        return EventLog.TAIL;
    }
}
