package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Renders an agent's steps of one turn as a model's messages: the answer is split at each tool call, and each call is
 * followed by its result.
 */
final class Transcript {
    private static final String NO_RESULT = "It was interrupted, and has no result.";
    private static final String NO_ANSWER = "The person has not answered.";

    private final List<HistoryEntry> entries;
    private final String answer;
    private final Map<String, String> results = new HashMap<>();

    Transcript(List<HistoryEntry> entries, String answer) {
        this.entries = entries;
        this.answer = answer;
        for (HistoryEntry entry : entries) {
            if (entry.kind() == EntryKind.OBSERVATION) {
                results.put(data(entry).getString("call_id"), entry.text());
            }
        }
    }

    /** The calls that have no observation, oldest first. */
    List<Conversation.OpenCall> openCalls() {
        List<Conversation.OpenCall> open = new ArrayList<>();
        for (int i = 0; i < entries.size(); i++) {
            HistoryEntry entry = entries.get(i);
            String id = entry.kind() == EntryKind.CALL ? data(entry).getString("call_id") : null;
            if (id != null && !results.containsKey(id)) {
                open.add(new Conversation.OpenCall(
                        new Output.Call(id, entry.text(), args(entry)), isQuestion(entry) ? answer(i) : null));
            }
        }
        return open;
    }

    /** Adds the messages of the turn; returns whether the last of them is text of the answer. */
    boolean addMessages(List<ChatMessage> messages) {
        int from = 0;
        boolean asking = false;
        for (int i = 0; i < entries.size(); i++) {
            HistoryEntry entry = entries.get(i);
            if (entry.kind() == EntryKind.CALL) {
                int to = Math.clamp(data(entry).getInteger("offset", from), from, answer.length());
                asking |= isQuestion(entry);
                call(answer.substring(from, to), entry.text(), args(entry), result(entry, i), messages);
                from = to;
            } else if (entry.kind() == EntryKind.QUESTION) {
                if (!asking) {
                    String args = new JsonObject().put("question", entry.text()).encode();
                    String answer = answer(i);
                    call("", BuiltInTools.ASK_USER.toString(), args, answer == null ? NO_ANSWER : answer, messages);
                }
                asking = false;
            }
        }
        return Conversation.addAnswer(answer.substring(from), messages);
    }

    private static boolean isQuestion(HistoryEntry call) {
        return call.text().equals(BuiltInTools.ASK_USER.toString());
    }

    private String result(HistoryEntry call, int at) {
        String result = results.get(data(call).getString("call_id"));
        if (result == null && isQuestion(call)) {
            String answer = answer(at);
            return answer == null ? NO_ANSWER : answer;
        }
        return result == null ? NO_RESULT : result;
    }

    /** The answer to the first question at this entry or after it, or null. */
    private String answer(int at) {
        String question = null;
        for (HistoryEntry entry : entries.subList(at, entries.size())) {
            if (entry.kind() == EntryKind.QUESTION && question == null) {
                question = data(entry).getString("question_id", "");
            } else if (entry.kind() == EntryKind.ANSWER
                    && question != null
                    && question.equals(data(entry).getString("question_id", ""))) {
                return entry.text();
            }
        }
        return null;
    }

    private static void call(String before, String tool, String args, String result, List<ChatMessage> messages) {
        // nine letters and digits: the one format that all providers accept; it need not be the same in the next
        // request
        String id = "call%05d".formatted(messages.size());
        String name = tool.replaceAll("[^A-Za-z0-9_-]", "_");
        ToolExecutionRequest request =
                ToolExecutionRequest.builder().id(id).name(name).arguments(args).build();
        AiMessage.Builder message = AiMessage.builder().toolExecutionRequests(List.of(request));
        messages.add(before.isBlank() ? message.build() : message.text(before).build());
        messages.add(ToolExecutionResultMessage.from(id, name, result.isBlank() ? "Done" : result));
    }

    /** The arguments are a JSON object, or the text of one. */
    private static String args(HistoryEntry call) {
        Object args = data(call).getValue("args");
        return args == null ? "{}" : args instanceof JsonObject object ? object.encode() : args.toString();
    }

    private static JsonObject data(HistoryEntry entry) {
        try {
            return entry.data() == null ? new JsonObject() : new JsonObject(entry.data());
        } catch (DecodeException e) {
            return new JsonObject();
        }
    }
}
