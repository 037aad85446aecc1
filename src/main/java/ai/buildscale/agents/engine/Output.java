package ai.buildscale.agents.engine;

import ai.buildscale.agents.session.Mode;

/** An output of an engine, in the order in which the engine emits it: a chunk, a thought, a call, an observation, … */
public sealed interface Output {
    /** A piece of the answer, of any length; the answer is all of them, one after the other. */
    record Chunk(String text) implements Output {}

    /** A thought of the agent, for people to read. */
    record Thought(String text) implements Output {}

    /**
     * A call of a tool.
     *
     * @param id the same each time that this call is made, so that the tool can detect a repeat: see {@link Turn#callId}
     * @param args a JSON object
     */
    record Call(String id, String tool, String args) implements Output {}

    /** The result of a tool call; {@code id} is the call's. */
    record Observation(String id, String output, boolean success) implements Output {}

    /**
     * A question that the agent waits for a person to answer; the last output of the stream.
     *
     * @param schema the JSON schema of the answer
     */
    record Question(String text, String schema) implements Output {}

    /** The mode that the agent works in from here on. */
    record ModeChange(Mode mode) implements Output {}

    /** The session's current task, in a few words. */
    record CurrentTask(String task) implements Output {}

    /** Tokens used since the previous output of this type. */
    record TokenUsage(long inputTokens, long outputTokens) implements Output {}
}
