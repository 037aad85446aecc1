package ai.buildscale.agents.engine;

import ai.buildscale.agents.session.Mode;

/**
 * An output of an engine: a chunk, a thought, a call, an observation, a question, in the order in which the engine
 * made it.
 */
public sealed interface Output {
    /** A piece of the answer, of any length; the answer is all of them, one after the other. */
    record Chunk(String text) implements Output {}

    /** What it thinks on the way, for people to read. */
    record Thought(String text) implements Output {}

    /**
     * A tool is called.
     *
     * @param id the same each time that this call is made, so that the tool can tell a repeat: see {@link Turn#callId}
     * @param args a JSON object
     */
    record Call(String id, String tool, String args) implements Output {}

    /** What the tool answered; {@code id} is the call's. */
    record Observation(String id, String output, boolean success) implements Output {}

    /**
     * It cannot go on without a person. Its last item.
     *
     * @param schema the JSON schema of the answer
     */
    record Question(String text, String schema) implements Output {}

    /** It works in another mode from here on. */
    record ModeChange(Mode mode) implements Output {}

    /** What it is doing now, in a few words; shown as the session's current task. */
    record CurrentTask(String task) implements Output {}

    /** Tokens that it has used since it last said so. */
    record TokenUsage(long inputTokens, long outputTokens) implements Output {}
}
