package ai.buildscale.agents.engine;

import io.smallrye.mutiny.Multi;

/** An engine computes an agent's turns: a model, a script. One instance serves all turns of this server at once. */
public interface Engine {
    /** Whether it serves the model of this name. */
    boolean serves(String model);

    /**
     * One turn. Cold: it thinks once it is subscribed to, on any thread, and never blocks the event loop. The next item is
     * asked for when the one before has been written down, so a tool that runs after its {@link Output.Call} was taken runs
     * after the call is durable. Cancelled at any time when the turn is stopped, paused or handed over.
     *
     * <p>Completes when the answer is complete; a {@link Output.Question} is its last item, and the turn goes on with
     * another subscription once it is answered. A turn that was interrupted (paused, or its server died) is thought on from
     * what {@link Turn} says to be done: nothing of it comes again, but a call that has no observation yet is made again,
     * with the same id. Fails with {@link EngineFailure}, or with anything else, which people are not shown.
     */
    Multi<Output> think(Turn turn);
}
