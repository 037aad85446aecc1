package ai.buildscale.agents.engine;

import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import java.util.List;
import java.util.UUID;

/**
 * A turn is the input of an engine: the chat's history and the progress of this turn.
 *
 * @param goal the purpose of the chat, or null
 * @param history the chat's entries, oldest first: those of the turns before, the message that began this turn, and this
 *     turn's progress (thoughts, calls and observations, questions and answers) without its answer
 * @param answerSoFar the answer, from the turn's beginning; empty for a fresh one
 * @param attempt 1, and one more each time that the turn was claimed again because its server was lost
 * @param span the parent of the engine's spans
 */
public record Turn(
        UUID id,
        UUID sessionId,
        UUID chatId,
        AgentType agentType,
        Mode mode,
        String model,
        String goal,
        List<HistoryEntry> history,
        String answerSoFar,
        int attempt,
        TraceSpan span) {

    /**
     * An entry of a chat's history.
     *
     * @param turnId the turn of the entry; for a message of a person, the turn that the message began
     * @param text the words of a message, a thought, a question; the output of an observation; the tool of a call; an
     *     answer as JSON
     * @param data the entry's other facts, a JSON object: {@code {"call_id","args","offset"}} for a call, where the offset is how
     *     many characters of the answer came before it; {@code {"call_id","success"}} for an observation; {@code
     *     {"question_id","schema"}} for a question, {@code {"question_id"}} for an answer; {@code {"partial":true,"reason"}}
     *     for an answer that was stopped
     */
    public record HistoryEntry(UUID turnId, EntryKind kind, String text, String data) {}

    /** The author or the type of an entry. */
    public enum EntryKind {
        USER,
        ASSISTANT,
        THOUGHT,
        CALL,
        OBSERVATION,
        QUESTION,
        ANSWER
    }

    /** This turn's progress, oldest first, after the message that began it. */
    public List<HistoryEntry> done() {
        return history.stream()
                .filter(entry -> entry.turnId().equals(id) && entry.kind() != EntryKind.USER)
                .toList();
    }

    /** The id of the turn's n-th call, counted from 0 over its whole life: the same at each attempt. */
    public String callId(int n) {
        return id + ":" + n;
    }
}
