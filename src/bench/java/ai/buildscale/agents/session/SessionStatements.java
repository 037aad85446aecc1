package ai.buildscale.agents.session;

/** Lets the benchmarks give a peer the very statements that the service runs. */
public final class SessionStatements {
    private SessionStatements() {}

    public static String get() {
        return SessionSql.GET;
    }

    public static String create() {
        return SessionSql.CREATE;
    }

    public static String transition() {
        return SessionSql.TRANSITION;
    }
}
