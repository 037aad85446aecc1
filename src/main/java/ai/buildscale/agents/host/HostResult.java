package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.turn.TurnState;
import com.fasterxml.jackson.databind.JsonNode;
import io.vertx.core.json.JsonObject;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.stream.Collectors;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The result by which a host ends or releases its turn.
 *
 * @param message the whole answer; what was said by chunks where it is not given. Only for a turn that is over; a
 *     longer one is said by chunks
 * @param error for people; needed where it failed
 * @param question for people; needed where it asks
 * @param schema the JSON schema of the answer
 * @param usage tokens that no event has told of
 */
@Schema(name = "TurnResult")
public record HostResult(
        @NotNull @Min(0) @Schema(examples = "2") Long epoch,
        @NotNull ResultOutcome outcome,
        @Size(max = 200_000) String message,
        @Size(max = 4_000) String error,
        @Size(max = 4_000) String question,

        @Schema(implementation = Object.class, description = "a JSON schema")
        JsonNode schema,

        @Valid ReportedUsage usage) {

    /** Tokens. */
    @Schema(name = "TurnUsage")
    public record ReportedUsage(
            @NotNull @Min(0) Long inputTokens,
            @NotNull @Min(0) Long outputTokens) {}

    /** {@code question}: it waits for an answer; {@code paused}: it is work again once its session runs. */
    @Schema(
            name = "TurnOutcome",
            enumeration = {"done", "failed", "question", "paused", "stopped"})
    public enum ResultOutcome {
        DONE(TurnState.DONE),
        FAILED(TurnState.FAILED),
        QUESTION(TurnState.WAITING),
        PAUSED(TurnState.PAUSED),
        STOPPED(TurnState.STOPPED);

        private final TurnState state;

        ResultOutcome(TurnState state) {
            this.state = state;
        }

        /** The state that it leaves the turn in. */
        TurnState state() {
            return state;
        }

        @Override
        public String toString() {
            return WireEnum.name(this);
        }
    }

    void check() {
        if (outcome == ResultOutcome.FAILED && error == null) {
            throw Problem.invalid("error", "must be given with the outcome failed");
        }
        if (outcome == ResultOutcome.QUESTION && question == null) {
            throw Problem.invalid("question", "must be given with the outcome question");
        }
        if (message != null && (outcome == ResultOutcome.QUESTION || outcome == ResultOutcome.PAUSED)) {
            throw Problem.invalid("message", "must not be given with the outcome " + outcome);
        }
        if (schema != null && !schema.isObject() && !schema.isNull()) {
            throw Problem.invalid("schema", "must be a JSON object");
        }
    }

    /** What was given, as a hash of each field: so that the same again is known without keeping it. */
    JsonObject given() {
        JsonObject given = new JsonObject();
        mark(given, "message", message);
        mark(given, "error", error);
        mark(given, "question", question);
        mark(given, "schema", schemaJson() == null ? null : canonical(schema));
        mark(given, "usage", usage == null ? null : inputTokens() + " " + outputTokens());
        return given;
    }

    /** Whether this is the same again: all that it says was said then. */
    boolean repeats(String outcomeThen, JsonObject givenThen) {
        return outcome.toString().equals(outcomeThen)
                && given().stream().allMatch(field -> field.getValue().equals(givenThen.getValue(field.getKey())));
    }

    private static void mark(JsonObject given, String field, String value) {
        if (value != null) {
            try {
                byte[] hash = MessageDigest.getInstance("SHA-256").digest(value.getBytes(StandardCharsets.UTF_8));
                given.put(field, HexFormat.of().formatHex(hash, 0, 16));
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** An object's fields have no order. */
    private static String canonical(JsonNode node) {
        if (node.isObject()) {
            return node.properties().stream()
                    .map(field -> "\"" + field.getKey() + "\":" + canonical(field.getValue()))
                    .sorted()
                    .collect(Collectors.joining(",", "{", "}"));
        }
        return node.isArray()
                ? node.valueStream().map(HostResult::canonical).collect(Collectors.joining(",", "[", "]"))
                : node.toString();
    }

    String schemaJson() {
        return schema == null || schema.isNull() ? null : schema.toString();
    }

    long inputTokens() {
        return usage == null ? 0 : usage.inputTokens();
    }

    long outputTokens() {
        return usage == null ? 0 : usage.outputTokens();
    }
}
