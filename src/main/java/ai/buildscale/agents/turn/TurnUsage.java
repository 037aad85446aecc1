package ai.buildscale.agents.turn;

/** The tokens and the time that a turn has used. */
public record TurnUsage(long inputTokens, long outputTokens, long millis) {
    public static final TurnUsage NOTHING = new TurnUsage(0, 0, 0);
}
