package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.problem.Problem;
import java.util.Map;
import java.util.UUID;

/** Places a session that is hosted here; implemented by the fleet. */
public interface SessionPlacement {
    /**
     * The server that a new session gets.
     *
     * @param requires the labels it must have
     * @throws Problem {@code UNAVAILABLE} if no server of the fleet may take it
     */
    Server place(Map<String, String> requires);

    /** The server that was given turned out not to take sessions any more: the next answer is another one. */
    void refused(Server server);

    /** This server's id while it may act as an owner, else null. */
    UUID self();

    /** A server of this service, as sessions carry it. */
    record Server(UUID id, String hostname) {}
}
