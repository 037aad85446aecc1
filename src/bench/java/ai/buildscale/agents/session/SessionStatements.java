package ai.buildscale.agents.session;

/** Lets the benchmarks run the very statements that the service runs. */
public final class SessionStatements {
    private SessionStatements() {}

    public static String get() {
        return SessionSql.GET;
    }

    public static String create() {
        return SessionSql.CREATE;
    }

    public static String start() {
        return SessionCommandSql.transition(SessionCommand.START);
    }

    public static String yielding() {
        return SessionCommandSql.transition(SessionCommand.YIELD);
    }

    public static String handOver() {
        return Ownership.HAND_OVER;
    }

    public static String count() {
        return OwnershipSql.COUNT;
    }

    public static String deliver() {
        return CommandSql.DELIVER;
    }

    /** A turn of the walk round the live sessions, a piece of them. */
    public static String sweepInactive() {
        return SessionSweepSql.batched(SessionSweepSql.SWEEP_INACTIVE, SessionSweepSql.MAX_BATCH);
    }

    /** With the batch that a server has unless it is told otherwise. */
    public static String sweepSilent() {
        return SessionSweepSql.batched(SessionSweepSql.SWEEP_SILENT, 500);
    }
}
