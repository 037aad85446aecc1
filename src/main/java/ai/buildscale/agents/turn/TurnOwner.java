package ai.buildscale.agents.turn;

/** The agent whose turn a {@link TurnExecution} runs, as the execution needs it. */
interface TurnOwner {
    TurnWriter writer();

    ChunkPublisher feed();

    int maxAnswer();

    /** The turn is over, or left for later; {@code mail} messages wait. */
    void closed(TurnExecution execution, TurnClosing closing, int mail);

    /** A write was refused: the session does not run any more, or is another server's. */
    void refused(TurnExecution execution);
}
