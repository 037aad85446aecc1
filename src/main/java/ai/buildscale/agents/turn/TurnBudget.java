package ai.buildscale.agents.turn;

import io.vertx.core.Context;

/** Counts what one turn uses, and tells when its budget is used up. Lives on the turn's event loop. */
final class TurnBudget {
    private static final int NO_TIMER = -1;

    private final Context context;
    private final Long tokensLeft;
    private final Long millisLeft;
    private final long beganAt = System.nanoTime();
    private long inputTokens;
    private long outputTokens;
    private long timer = NO_TIMER;

    /**
     * @param tokensLeft what the turn may use; null for no limit
     * @param millisLeft the time that it may run; null for no limit
     */
    TurnBudget(Context context, Long tokensLeft, Long millisLeft) {
        this.context = context;
        this.tokensLeft = tokensLeft;
        this.millisLeft = millisLeft;
    }

    /** Begins to count the time; calls back on the event loop once it is used up, unless stopped before. */
    void start(Runnable timeIsUp) {
        if (millisLeft != null) {
            timer = context.owner().setTimer(Math.max(1, millisLeft), _ -> context.runOnContext(_ -> timeIsUp.run()));
        }
    }

    void stop() {
        if (timer != NO_TIMER) {
            context.owner().cancelTimer(timer);
        }
    }

    void use(long input, long output) {
        inputTokens += input;
        outputTokens += output;
    }

    boolean hasTokensLeft() {
        return tokensLeft == null || inputTokens + outputTokens < tokensLeft;
    }

    TurnUsage used() {
        return new TurnUsage(inputTokens, outputTokens, (System.nanoTime() - beganAt) / 1_000_000);
    }
}
