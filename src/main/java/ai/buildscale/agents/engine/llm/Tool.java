package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Turn;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;

/** A tool that a model may call if {@link SystemPrompt} permits it to the agent: each bean of this type is a tool. */
public interface Tool {
    /** Letters, digits, underscores and hyphens. */
    String name();

    /** Tells the model when to call this tool. */
    String description();

    /** The JSON schema of the arguments; the type is object. */
    JsonObject parameters();

    /**
     * Emits the result for the model. The model sees the message of an {@link IllegalArgumentException}, and of any other
     * failure only that the call failed.
     */
    Uni<String> run(Invocation invocation);

    /**
     * A call of a tool.
     *
     * @param callId the same when a call is made again because the server was lost: a tool performs a call id once
     */
    record Invocation(JsonObject args, String callId, Turn turn) {}
}
