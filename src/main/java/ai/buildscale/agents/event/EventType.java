package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.WireEnum;

/**
 * The type of an event, on the wire and in the log. The log may hold types that only a newer server knows; they are
 * passed on as they are.
 */
public enum EventType {
    AGENT_STATUS,
    AGENT_TASK,
    AGENT_UPDATED,
    AGENT_COMMAND,
    AGENT_STALLED,
    AGENT_MIGRATED,
    AGENT_RECOVERED,
    MODE_CHANGED,
    MESSAGE,
    SESSION_INIT,
    THOUGHT,
    CALL,
    OBSERVATION,
    QUESTION_PENDING,
    QUESTION_ANSWERED,
    DONE,
    STOPPED,
    ERROR,
    /** A piece of an answer: live only, and of no position to resume from. */
    CHUNK,
    /** The first event of a stream that begins without a snapshot. */
    STREAM_OPEN,
    SNAPSHOT,
    /** The position is no longer held; a snapshot follows. */
    RESET,
    /** The last event of a stream whose caller's token has ended. */
    TOKEN_EXPIRED;

    /** Whether events of the type are written to the log; the others belong to one stream, or are live only. */
    public boolean isLogged() {
        return switch (this) {
            case CHUNK, STREAM_OPEN, SNAPSHOT, RESET, TOKEN_EXPIRED -> false;
            default -> true;
        };
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
