package ai.buildscale.agents.session;

import io.smallrye.mutiny.Uni;
import java.util.UUID;

/**
 * Runs the agents of the sessions that this server owns: carries out commands, stops agents at safe points, and learns
 * of changes of ownership. What a session is beyond its record is for the implementation to know.
 */
public interface AgentRuntime {
    /** Carries out a pause, a resume or a cancel; completes once the agent has done it. May be called again for the same command. */
    Uni<Void> obey(DeliveredCommand command);

    /** Parks the session's turn at a safe point, from which another server can resume it. */
    Uni<Void> checkpoint(UUID session);

    /** The same for all sessions; no turn begins until {@link #goOn}. */
    Uni<Void> checkpointAll();

    /** Lets turns begin here again after {@link #checkpointAll}. */
    void goOn();

    /**
     * This server may own sessions that it did not own a moment ago: it has joined, its lease counts again, or sessions
     * were handed over to it. A new message is no such change.
     */
    void ownershipChanged();

    /** This server owns no session any more: stops all agents at once, without writing. */
    void abandonAll();

    /** Another server owns the session: stops its agent at once, without writing. */
    void abandon(UUID session);
}
