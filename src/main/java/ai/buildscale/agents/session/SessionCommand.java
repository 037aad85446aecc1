package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/** The commands of callers to a session: from which states, and to which. Each pair is in {@link SessionStatus}. */
@SuppressWarnings("ImmutableEnumChecker") // the set is never changed
public enum SessionCommand {
    START("started", SessionStatus.RUNNING, SessionStatus.IDLE, SessionStatus.PAUSED),
    YIELD("idle again", SessionStatus.IDLE, SessionStatus.RUNNING),
    PAUSE("paused", SessionStatus.PAUSED, SessionStatus.RUNNING, SessionStatus.IDLE),
    /** Back to what it was when it was paused, or to running if it gets a task. */
    RESUME("resumed", null, SessionStatus.PAUSED),
    COMPLETE("completed", SessionStatus.COMPLETED, SessionStatus.RUNNING, SessionStatus.PAUSED),
    FAIL("failed", SessionStatus.ERROR, SessionStatus.RUNNING),
    CANCEL("cancelled", SessionStatus.CANCELLED, SessionStatus.RUNNING, SessionStatus.IDLE, SessionStatus.PAUSED);

    private final String done;
    private final SessionStatus target;
    private final Set<SessionStatus> sources;

    SessionCommand(String done, SessionStatus target, SessionStatus first, SessionStatus... others) {
        this.done = done;
        this.target = target;
        this.sources = Collections.unmodifiableSet(EnumSet.of(first, others));
    }

    /** Where it leads; null for {@link #RESUME}, which depends on where the session was paused. */
    public SessionStatus target() {
        return target;
    }

    public Set<SessionStatus> sources() {
        return sources;
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }

    /** @param status as it is stored; a newer server may know more of them */
    boolean comesFrom(String status) {
        return sources.contains(WireEnum.known(SessionStatus.class, status));
    }

    /** @param now what it led to */
    String message(String now) {
        return this == START && WireEnum.is(SessionStatus.IDLE, now) ? "Session waits for a host" : "Session " + done;
    }

    /** The sources' wire names, for the statement. */
    String[] from() {
        return sources.stream().map(SessionStatus::toString).toArray(String[]::new);
    }
}
