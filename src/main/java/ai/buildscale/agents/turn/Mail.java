package ai.buildscale.agents.turn;

/** Fragments of statements on the messages {@code m} of an inbox: which of them begin a turn, and which resume one. */
public final class Mail {
    private Mail() {}

    /** Whether the message begins a turn. */
    public static final String BEGINS = "m.kind = 'user'";

    /** Whether the message begins a turn, or resumes one. */
    public static final String WORKS = "m.kind in ('user', 'answer')";

    /** Whether the message resumes a turn, if that is still there. */
    public static final String RESUMES = "m.kind = 'answer'";
}
