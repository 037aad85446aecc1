package ai.buildscale.agents.engine.llm;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;

/** A server that speaks OpenAI's chat completions, streamed as server-sent events. */
public final class FakeOpenAi extends FakeProvider {
    public static FakeOpenAi start() {
        return new FakeOpenAi();
    }

    /** For {@code llm.models."…".base-url}. */
    public String baseUrl() {
        return "http://127.0.0.1:" + port() + "/v1";
    }

    @Override
    String mediaType() {
        return "text/event-stream";
    }

    @Override
    String beginning() {
        return ": hello\n\n" + chunk(new JsonObject().put("role", "assistant").put("content", ""), null);
    }

    @Override
    String piece(FakeAnswer.Step step, int index) {
        return switch (step) {
            case FakeAnswer.Step.Text(String text) -> chunk(new JsonObject().put("content", text), null);
            case FakeAnswer.Step.Thought(String text) -> chunk(new JsonObject().put("reasoning_content", text), null);
            case FakeAnswer.Step.Call call -> call(call, index);
            default -> throw new IllegalArgumentException(step.toString());
        };
    }

    private static String call(FakeAnswer.Step.Call call, int index) {
        JsonObject first = new JsonObject().put("name", call.tool()).put("arguments", "");
        StringBuilder all = new StringBuilder(fragment(
                new JsonObject().put("index", index).put("id", "call_" + index).put("type", "function"), first));
        call.args()
                .forEach(part -> all.append(
                        fragment(new JsonObject().put("index", index), new JsonObject().put("arguments", part))));
        return all.toString();
    }

    private static String fragment(JsonObject call, JsonObject function) {
        return chunk(new JsonObject().put("tool_calls", JsonArray.of(call.put("function", function))), null);
    }

    @Override
    String ending(FakeAnswer answer) {
        JsonObject usage = new JsonObject()
                .put("prompt_tokens", answer.inputTokens)
                .put("completion_tokens", answer.outputTokens)
                .put("total_tokens", answer.inputTokens + answer.outputTokens);
        String reason = answer.callsTools() ? "tool_calls" : "stop";
        return chunk(new JsonObject(), reason)
                + event(frame().put("choices", new JsonArray()).put("usage", usage))
                + "data: [DONE]\n\n";
    }

    private static String chunk(JsonObject delta, String reason) {
        JsonObject choice = new JsonObject().put("index", 0).put("delta", delta).put("finish_reason", reason);
        return event(frame().put("choices", JsonArray.of(choice)));
    }

    private static JsonObject frame() {
        return new JsonObject()
                .put("id", "chatcmpl-1")
                .put("object", "chat.completion.chunk")
                .put("created", 1_700_000_000L)
                .put("model", "fake");
    }

    private static String event(JsonObject data) {
        return "data: " + data.encode() + "\n\n";
    }
}
