package ai.buildscale.agents.turn;

/** The phases of a {@link TurnExecution}; they change on the agent's event loop only. */
sealed interface TurnPhase {
    /**
     * Outputs are taken from the engine.
     *
     * @param complete whether the engine has said all; the last step is still being written
     * @param parking whether the turn is to be left at its next step
     */
    record Thinking(boolean complete, boolean parking) implements TurnPhase {}

    /** A write was refused: nothing more is taken from the engine, and the agent finds out how the turn ends. */
    record Fenced() implements TurnPhase {}

    /** @param afterStep closes the turn once the step under way is written; null if none is */
    record Closing(Runnable afterStep) implements TurnPhase {}

    /** @param left whether the turn waits, or is to be resumed */
    record Closed(boolean left) implements TurnPhase {}
}
