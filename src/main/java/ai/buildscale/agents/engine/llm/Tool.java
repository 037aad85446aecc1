package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Turn;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;

/** A tool that a model may call, if {@link SystemPrompt} gives it to the agent: each bean of this type is one. */
public interface Tool {
    /** Letters, digits, underscores and hyphens. */
    String name();

    /** When to call it, for the model. */
    String description();

    /** The JSON schema of the arguments, an object's. */
    JsonObject parameters();

    /**
     * Emits what the model is told. A failure is told as one, without its reason, unless it is an {@link
     * IllegalArgumentException}.
     */
    Uni<String> run(Invocation invocation);

    /**
     * One call.
     *
     * @param callId the same when a call is made again because the server was lost: what has been done for this id is not
     *     done twice
     */
    record Invocation(JsonObject args, String callId, Turn turn) {}
}
