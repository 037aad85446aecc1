package ai.buildscale.agents.engine;

import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import java.util.List;
import java.util.UUID;

/**
 * One turn as an engine gets it.
 *
 * @param goal what the chat is for, or null
 * @param history what was said in the chat, oldest first: the turns before, the message that began this one, and what this
 *     one has done so far (its thoughts, calls and observations, questions and answers), but not what it has said
 * @param answerSoFar the answer, from the turn's beginning; empty for a fresh one
 * @param attempt 1, and one more each time that the turn was taken up again because its server was lost
 * @param span what the engine does is traced within it
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
     * Something in a chat's history.
     *
     * @param turnId the turn that it belongs to; for a message of a person the turn that it began
     * @param text the words of a message, a thought, a question; the output of an observation; the tool of a call; an
     *     answer as JSON
     * @param data what else there is, a JSON object: {@code {"call_id","args","offset"}} for a call, where the offset is how
     *     many characters of the answer came before it; {@code {"call_id","success"}} for an observation; {@code
     *     {"question_id","schema"}} for a question, {@code {"question_id"}} for an answer; {@code {"partial":true,"reason"}}
     *     for an answer that was stopped
     */
    public record HistoryEntry(UUID turnId, EntryKind kind, String text, String data) {}

    /** Who or what an entry is of. */
    public enum EntryKind {
        USER,
        ASSISTANT,
        THOUGHT,
        CALL,
        OBSERVATION,
        QUESTION,
        ANSWER
    }

    /** What this turn has done so far, oldest first, after the message that began it. */
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
