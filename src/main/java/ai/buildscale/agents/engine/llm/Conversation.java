package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import ai.buildscale.agents.session.Mode;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Builds a model's view of one turn from the persisted history: the result is the same before and after the loss of a
 * server. Used by one thread at a time.
 */
final class Conversation {
    private static final String GO_ON = """
            Your answer was interrupted. Go on with it exactly where it stopped, in the middle of a word if need be: begin \
            with what comes next, repeat nothing, and do not mention this.""";

    private final Turn turn;
    private final SystemPrompt systemPrompt;
    private final int earlierTurns;
    private final List<HistoryEntry> done;
    private final StringBuilder answer;
    private int calls;
    private Mode mode;

    /** @param earlierTurns the number of turns before this one that the model sees */
    Conversation(Turn turn, int earlierTurns) {
        this.turn = turn;
        this.systemPrompt = SystemPrompt.of(turn.agentType());
        this.earlierTurns = earlierTurns;
        this.done = new ArrayList<>(turn.done());
        this.answer = new StringBuilder(turn.answerSoFar());
        this.mode = turn.mode();
        this.calls = (int)
                done.stream().filter(entry -> entry.kind() == EntryKind.CALL).count();
    }

    /** Returns the id of a new call. */
    String nextCallId() {
        return turn.callId(calls++);
    }

    /** The calls that have no observation yet, oldest first. */
    List<OpenCall> openCalls() {
        return new Transcript(done, "").openCalls();
    }

    /** Appends an output that the engine emits. */
    void record(Output output) {
        switch (output) {
            case Output.Chunk chunk -> answer.append(chunk.text());
            case Output.Call call -> done.add(entry(EntryKind.CALL, call.tool(), data(call)));
            case Output.Observation seen -> done.add(entry(EntryKind.OBSERVATION, seen.output(), data(seen)));
            case Output.ModeChange change -> mode = change.mode();
            case Output.Thought _, Output.Question _, Output.CurrentTask _, Output.TokenUsage _ -> {}
        }
    }

    private HistoryEntry entry(EntryKind kind, String text, JsonObject data) {
        return new HistoryEntry(turn.id(), kind, text, data.encode());
    }

    private JsonObject data(Output.Call call) {
        return new JsonObject()
                .put("call_id", call.id())
                .put("args", call.args())
                .put("offset", answer.length());
    }

    private static JsonObject data(Output.Observation seen) {
        return new JsonObject().put("call_id", seen.id()).put("success", seen.success());
    }

    /** The messages of the next request. */
    List<ChatMessage> messages() {
        List<ChatMessage> messages = new ArrayList<>();
        messages.add(SystemMessage.from(systemPrompt.prompt(turn, mode)));
        Map<UUID, List<HistoryEntry>> turns = turn.history().stream()
                .collect(Collectors.groupingBy(HistoryEntry::turnId, LinkedHashMap::new, Collectors.toList()));
        List<HistoryEntry> began = turns.remove(turn.id());
        turns.values().stream().skip(Math.max(0, turns.size() - earlierTurns)).forEach(earlier -> {
            addUserMessages(earlier, messages);
            new Transcript(earlier, answer(earlier)).addMessages(messages);
        });
        addUserMessages(began == null ? List.of() : began, messages);
        if (new Transcript(done, answer.toString()).addMessages(messages)) {
            messages.add(UserMessage.from(GO_ON));
        }
        return messages;
    }

    private static void addUserMessages(List<HistoryEntry> entries, List<ChatMessage> messages) {
        entries.stream()
                .filter(entry -> entry.kind() == EntryKind.USER && !entry.text().isBlank())
                .forEach(entry -> messages.add(UserMessage.from(entry.text())));
    }

    private static String answer(List<HistoryEntry> entries) {
        return entries.stream()
                .filter(entry -> entry.kind() == EntryKind.ASSISTANT)
                .map(HistoryEntry::text)
                .collect(Collectors.joining());
    }

    /** Adds an agent's message; returns false for a blank text. */
    static boolean addAnswer(String text, List<ChatMessage> messages) {
        boolean something = !text.isBlank();
        if (something) {
            messages.add(AiMessage.from(text));
        }
        return something;
    }

    /**
     * A call without an observation.
     *
     * @param answer the person's answer if the call asked a question; null if there is none
     */
    record OpenCall(Output.Call call, String answer) {}
}
