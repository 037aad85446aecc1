package ai.buildscale.agents.turn;

import ai.buildscale.agents.session.Mode;
import io.vertx.core.json.JsonObject;

/**
 * A step of a running turn, persisted before it is published.
 *
 * @param seq its number among the steps since the turn was claimed; null for a step without one
 * @param kind the kind of the step
 * @param content the text of the history's entry, or null
 * @param data the data of the history's entry, or null
 * @param event the step's own part of its event
 * @param answer the answer by then; null where it is kept elsewhere
 * @param mode the session's next mode, or null
 * @param task the session's next task, or null
 */
public record TurnStep(
        FencingToken fence,
        Long seq,
        StepKind kind,
        String content,
        JsonObject data,
        JsonObject event,
        String answer,
        String mode,
        String task) {

    public static TurnStep thought(FencingToken fence, String text) {
        return entry(fence, StepKind.THOUGHT, text, new JsonObject(), new JsonObject().put("text", text));
    }

    /** @param offset the length of the answer before the call, in UTF-16 units */
    public static TurnStep call(FencingToken fence, String callId, String tool, JsonObject args, int offset) {
        JsonObject event =
                new JsonObject().put("call_id", callId).put("tool", tool).put("args", args);
        JsonObject data =
                new JsonObject().put("call_id", callId).put("args", args).put("offset", offset);
        return entry(fence, StepKind.CALL, tool, data, event);
    }

    public static TurnStep observation(FencingToken fence, String callId, boolean success, String output) {
        JsonObject data = new JsonObject().put("call_id", callId).put("success", success);
        return entry(fence, StepKind.OBSERVATION, output, data, data.copy().put("output", output));
    }

    public static TurnStep mode(FencingToken fence, Mode mode) {
        JsonObject event = new JsonObject().put("mode", mode.toString());
        return new TurnStep(fence, null, StepKind.MODE, null, null, event, null, mode.toString(), null);
    }

    public static TurnStep task(FencingToken fence, String task) {
        JsonObject event = new JsonObject().put("task", task);
        return new TurnStep(fence, null, StepKind.TASK, null, null, event, null, null, task);
    }

    private static TurnStep entry(
            FencingToken fence, StepKind kind, String content, JsonObject data, JsonObject event) {
        return new TurnStep(fence, null, kind, content, data, event, null, null, null);
    }

    /** The same step with its number, and with the answer that was given by then. */
    TurnStep numbered(long number, String answer) {
        return new TurnStep(fence, number, kind, content, data, event, answer, mode, task);
    }

    /** The step as {@link TurnSql#STEP} reads it. */
    JsonObject json() {
        return fence.json()
                .put("seq", seq)
                .put("kind", kind.toString())
                .put("content", content)
                .put("data", data)
                .put("event", event)
                .put("said", answer)
                .put("mode", mode)
                .put("task", task);
    }
}
