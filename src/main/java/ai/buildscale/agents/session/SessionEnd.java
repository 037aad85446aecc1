package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/** The reason for which a session ends, as it is counted, with the states in which the session may be left. */
@SuppressWarnings("ImmutableEnumChecker") // the set is never changed
public enum SessionEnd {
    /** A caller completed the session. */
    COMPLETED(SessionStatus.COMPLETED),
    /** A caller reported that the session failed. */
    FAILED(SessionStatus.ERROR),
    /** A caller cancelled the session. */
    CANCELLED(SessionStatus.CANCELLED),
    /** The agent was not heard of for {@code sessions.stale-threshold}: a running session fails, an idle one is cancelled. */
    STALE(SessionStatus.ERROR, SessionStatus.CANCELLED),
    /** The session was idle for {@code sessions.inactivity-timeout}. */
    INACTIVE(SessionStatus.CANCELLED),
    /** A turn of the session failed. */
    TURN_FAILED(SessionStatus.ERROR);

    private final Set<SessionStatus> statuses;

    SessionEnd(SessionStatus first, SessionStatus... others) {
        this.statuses = Collections.unmodifiableSet(EnumSet.of(first, others));
    }

    Set<SessionStatus> statuses() {
        return statuses;
    }

    /** The end that a command of a caller leads to; null for a command that ends nothing. */
    static SessionEnd by(SessionCommand command) {
        return switch (command) {
            case COMPLETE -> COMPLETED;
            case FAIL -> FAILED;
            case CANCEL -> CANCELLED;
            case START, YIELD, PAUSE, RESUME -> null;
        };
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
