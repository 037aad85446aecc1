package ai.buildscale.agents.engine.llm;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;

/** A server that speaks Ollama's chat, streamed as lines of JSON. */
public final class FakeOllama extends FakeProvider {
    public static FakeOllama start() {
        return new FakeOllama();
    }

    /** For {@code llm.models."…".base-url}. */
    public String baseUrl() {
        return "http://127.0.0.1:" + port();
    }

    @Override
    String mediaType() {
        return "application/x-ndjson";
    }

    @Override
    String beginning() {
        return "";
    }

    @Override
    String piece(FakeAnswer.Step step, int index) {
        return switch (step) {
            case FakeAnswer.Step.Text(String text) ->
                line(new JsonObject().put("content", text)).encode() + "\n";
            case FakeAnswer.Step.Thought(String text) ->
                line(new JsonObject().put("content", "").put("thinking", text)).encode() + "\n";
            case FakeAnswer.Step.Call call -> call(call, index);
            default -> throw new IllegalArgumentException(step.toString());
        };
    }

    private static String call(FakeAnswer.Step.Call call, int index) {
        JsonObject function = new JsonObject()
                .put("index", index)
                .put("name", call.tool())
                .put("arguments", new JsonObject(String.join("", call.args())));
        JsonArray calls = JsonArray.of(new JsonObject().put("function", function));
        return line(new JsonObject().put("content", "").put("tool_calls", calls))
                        .encode() + "\n";
    }

    @Override
    String ending(FakeAnswer answer) {
        return line(new JsonObject().put("content", ""))
                        .put("done", true)
                        .put("done_reason", "stop")
                        .put("prompt_eval_count", answer.inputTokens)
                        .put("eval_count", answer.outputTokens)
                        .encode()
                + "\n";
    }

    private static JsonObject line(JsonObject message) {
        return new JsonObject()
                .put("model", "fake")
                .put("created_at", "2026-01-01T00:00:00Z")
                .put("message", message.put("role", "assistant"))
                .put("done", false);
    }
}
