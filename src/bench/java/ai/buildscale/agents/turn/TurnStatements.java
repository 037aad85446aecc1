package ai.buildscale.agents.turn;

/** Lets the benchmarks run the very statements that the service runs. */
public final class TurnStatements {
    private TurnStatements() {}

    public static String begin() {
        return TurnSql.BEGIN;
    }

    public static String takeUpLost() {
        return TurnSql.TAKE_UP_LOST;
    }

    public static String waiting() {
        return TurnSql.WAITING;
    }
}
