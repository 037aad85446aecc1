package ai.buildscale.agents.bench.simulation;

/**
 * The statements by which a fleet watches and moves itself, and the processor time that each takes of Postgres. The
 * figures are those of {@code make bench-upkeep}: medians, one core of an Intel Xeon, Postgres 18.4, Linux 6.18. Giving a
 * server up is not among them: it is reckoned as a renewal for each.
 */
public enum Cost {
    PRESENCE("presence: `select 1`", 23, 0),
    RENEW("renewal of the lease", 128, 0),
    COUNT("count of the own sessions", 69, 1.83),
    LOOK("look at the fleet", 220, 4.8),
    DECLARE("giving servers up", 128, 128),
    POLL("poll: commands, messages, lost turns", 910, 0),
    CLAIM("claim of a sweep", 76, 0),
    HAND_OVER("hand-over of a batch", 1_019, 71),
    NOTIFY("notification, its sender", 147, 2.8),
    HEAR("notification, all that hear it", 0, 22),
    WORK("poll of an owner that was woken by name", 780, 0),
    TAIL("read of the log's tail", 49, 3.3);

    /** What a hand-over takes longer for each session on its way that another statement has locked. */
    public static final double LOCKED_MICROS = 2.3;
    /** The same for each that has left its last owner, and whose index entry is still there. */
    public static final double LEFT_MICROS = 0.95;
    /** The same for each member it looks at besides the first. */
    public static final double SOURCE_MICROS = 3.1;

    private final String what;
    private final double micros;
    private final double eachMicros;

    /**
     * @param micros without anything to do
     * @param eachMicros for each session that is counted or handed over, member that is read, event that is read, server
     *     that hears
     */
    Cost(String what, double micros, double eachMicros) {
        this.what = what;
        this.micros = micros;
        this.eachMicros = eachMicros;
    }

    public String what() {
        return what;
    }

    /** What it takes for so many. */
    public double micros(long many) {
        return micros + many * eachMicros;
    }
}
