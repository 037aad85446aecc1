package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.WireEnum;
import java.util.EnumSet;
import java.util.Set;

/**
 * The lifecycle of a turn: the one table of states and their successors. Whoever writes a turn names its epoch, and the
 * database is the referee; {@link TurnLifecycle} counts and logs what it has accepted.
 */
public enum TurnState {
    /** Its owner runs it: a server, or a host elsewhere by its lease. */
    RUNNING,
    /** Its owner has left it at a safe point; the session's next owner resumes it. */
    PARKED,
    /** It rests with its session, or waits for a host elsewhere. */
    PAUSED,
    /** It has asked a question; the answer resumes it. */
    WAITING,
    DONE,
    STOPPED,
    FAILED;

    /** The states that a turn may go to from here; a running turn whose owner was lost is claimed, and runs again. */
    public Set<TurnState> successors() {
        return switch (this) {
            case RUNNING -> EnumSet.allOf(TurnState.class);
            case PARKED -> EnumSet.of(RUNNING, PAUSED, STOPPED);
            case PAUSED, WAITING -> EnumSet.of(RUNNING, STOPPED);
            case DONE, STOPPED, FAILED -> EnumSet.noneOf(TurnState.class);
        };
    }

    /** Whether a turn in this state may become that; a repeat of what it is already is no change, and may always be. */
    public boolean mayBecome(TurnState next) {
        return this == next || successors().contains(next);
    }

    /** Whether a turn in this state is over for good. */
    public boolean isTerminal() {
        return successors().isEmpty();
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }

    /** The state of that name; null for one that only a newer server knows. */
    public static TurnState known(String name) {
        return WireEnum.known(TurnState.class, name);
    }
}
