package ai.buildscale.agents.session;

import io.smallrye.mutiny.Uni;
import java.util.UUID;

/**
 * The runtime of the agents that this process owns. The server room calls it whenever an owner must act; what a
 * session is beyond its record is for the implementation to know.
 */
public interface AgentRuntime {
    /** Carries out a pause, a resume or a cancel; completes once the agent has really done it. May be told again. */
    Uni<Void> obey(DeliveredCommand order);

    /** Stops what runs for the session at a safe point, written down, so that another server can go on from there. */
    Uni<Void> checkpoint(UUID session);

    /** The same for all sessions; nothing new is begun until {@link #goOn}. */
    Uni<Void> checkpointAll();

    /** What was held by {@link #checkpointAll} may go on here. */
    void goOn();

    /** This server may own sessions that it did not a moment ago: it has joined, owns again, or was handed some. */
    void ownershipChanged();

    /** Nothing here is this server's any more: stops at once, and writes nothing. */
    void abandonAll();

    /** The session is another server's: stops what runs for it at once, and writes nothing. */
    void abandon(UUID session);
}
