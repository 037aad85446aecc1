package ai.buildscale.agents.session;

import java.util.UUID;

/** Where a new session that is hosted here will live; answered by the server room. */
public interface SessionHost {
    Server place();

    /** A server of this service, as sessions carry it. */
    record Server(UUID id, String hostname) {}
}
