package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;

/**
 * The commands that the owner of a hosted session is given. The database may hold one that only a newer server knows:
 * {@link #of} then has none, and the statement of delivery leaves it to such a server.
 */
public enum CommandType {
    PAUSE,
    RESUME,
    CANCEL,
    /** Stops the open turn; the session stays. */
    STOP,
    /** Hands the session over to another server; all others are for the session's agent. */
    MIGRATE;

    /** Reads what the database holds; null for what is not known here. */
    static CommandType of(String command) {
        return WireEnum.known(CommandType.class, command);
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
