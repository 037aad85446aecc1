package ai.buildscale.agents.engine;

import io.smallrye.mutiny.Multi;

/** An engine computes an agent's turns, by a model or a script. One instance serves all turns of this server at once. */
public interface Engine {
    /** Whether this engine serves the model of this name. */
    boolean serves(String model);

    /**
     * Emits the outputs of one turn. The stream is cold: the engine computes once it is subscribed to, on any thread, and
     * never blocks the event loop. The next output is requested when the previous one is persisted, so a tool that runs
     * after its {@link Output.Call} was emitted runs after the call is durable. The stream is cancelled at any time when the
     * turn is stopped, paused or handed over.
     *
     * <p>The stream completes when the answer is complete; a {@link Output.Question} is its last output, and the turn resumes
     * with another subscription once the question is answered. An interrupted turn (paused, or its server was lost) resumes
     * from the progress in {@link Turn}: no persisted output is emitted again, but a call without an observation is made
     * again, with the same id. The stream fails with {@link EngineFailure}, or with any other failure, whose message people
     * do not see.
     */
    Multi<Output> think(Turn turn);
}
