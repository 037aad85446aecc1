package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.turn.FencingToken;
import ai.buildscale.agents.turn.TurnStep;
import com.fasterxml.jackson.databind.JsonNode;
import io.vertx.core.json.JsonObject;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * An event that a host reports of its turn: a chunk, a thought, a call, an observation, a change. Which fields it
 * needs depends on what it is.
 *
 * @param text of a {@code chunk} or a {@code thought}
 * @param callId of a {@code call} and its {@code observation}: the same each time that the call is made
 * @param args a JSON object; none if it is not given
 * @param success {@code true} where it is not given
 */
@Schema(name = "TurnEvent")
public record HostEvent(
        @NotNull EventKind event,
        @Size(max = 65_536) String text,
        @Size(max = 200) String callId,
        @Size(max = 200) String tool,

        @Schema(implementation = Object.class, description = "a JSON object")
        JsonNode args,

        @Size(max = 65_536) String output,
        Boolean success,
        @Size(max = 4_000) String task,
        Mode mode,

        @Min(0) @Schema(description = "tokens used since the last `usage`")
        Long inputTokens,

        @Min(0) Long outputTokens) {

    /** The kind of an event. */
    @Schema(
            name = "TurnEventKind",
            enumeration = {"chunk", "thought", "call", "observation", "task", "mode", "usage"})
    public enum EventKind {
        CHUNK,
        THOUGHT,
        CALL,
        OBSERVATION,
        TASK,
        MODE,
        USAGE;

        @Override
        public String toString() {
            return WireEnum.name(this);
        }
    }

    /** @param place where it stands in the request, as {@code events[0]} */
    void check(String place) {
        switch (event) {
            case CHUNK, THOUGHT -> require(text, place, "text");
            case CALL -> {
                require(callId, place, "call_id");
                require(tool, place, "tool");
                if (args != null && !args.isObject() && !args.isNull()) {
                    throw Problem.invalid(place + ".args", "must be a JSON object");
                }
            }
            case OBSERVATION -> {
                require(callId, place, "call_id");
                require(output, place, "output");
            }
            case TASK -> require(task, place, "task");
            case MODE -> require(mode, place, "mode");
            case USAGE -> {
                require(inputTokens, place, "input_tokens");
                require(outputTokens, place, "output_tokens");
            }
        }
    }

    private void require(Object value, String place, String field) {
        if (value == null) {
            throw Problem.invalid(place + "." + field, "must be given with the event " + event);
        }
    }

    /** The step that is written down of it; null for an event that is no step. */
    TurnStep step(FencingToken fence, int saidLength) {
        return switch (event) {
            case CHUNK, USAGE -> null;
            case THOUGHT -> TurnStep.thought(fence, text);
            case CALL -> {
                JsonObject given = args == null || args.isNull() ? new JsonObject() : new JsonObject(args.toString());
                yield TurnStep.call(fence, callId, tool, given, saidLength);
            }
            case OBSERVATION -> TurnStep.observation(fence, callId, success == null || success, output);
            case TASK -> TurnStep.task(fence, task);
            case MODE -> TurnStep.mode(fence, mode);
        };
    }
}
