package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The lifecycle of a session: the one table of states and their successors. */
@Schema(enumeration = {"idle", "running", "paused", "completed", "cancelled", "error"})
public enum SessionStatus {
    IDLE,
    RUNNING,
    PAUSED,
    COMPLETED,
    CANCELLED,
    ERROR;

    /** The states that may follow this one, and no others. */
    public Set<SessionStatus> successors() {
        return switch (this) {
            case IDLE -> EnumSet.of(RUNNING, PAUSED, CANCELLED);
            case RUNNING -> EnumSet.of(IDLE, PAUSED, COMPLETED, CANCELLED, ERROR);
            case PAUSED -> EnumSet.of(IDLE, RUNNING, COMPLETED, CANCELLED);
            case COMPLETED, CANCELLED, ERROR -> EnumSet.noneOf(SessionStatus.class);
        };
    }

    public boolean isTerminal() {
        return successors().isEmpty();
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }

    /** The wire names of what may follow, in the table's order. */
    public List<String> allowedTransitions() {
        return successors().stream().map(SessionStatus::toString).toList();
    }
}
