package ai.buildscale.agents.turn;

/** The reasons for which a turn is stopped or paused, as its events and its history name them. */
public final class StopReason {
    public static final String STOPPED = "stopped";
    public static final String PAUSED = "paused";
    public static final String CANCELLED = "cancelled";

    /** Its session went to rest without it. */
    public static final String YIELDED = "yielded";

    public static final String COMPLETED = "completed";
    public static final String FAILED = "failed";

    /** Its session has ended. */
    public static final String ENDED = "ended";

    private StopReason() {}
}
