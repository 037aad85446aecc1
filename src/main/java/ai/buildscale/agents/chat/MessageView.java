package ai.buildscale.agents.chat;

import com.fasterxml.jackson.annotation.JsonRawValue;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * An entry of a chat's history as it leaves over the wire: a message, an answer, a thought, a call, an observation, a
 * question.
 *
 * @param kind {@code user}, {@code assistant}, {@code thought}, {@code call}, {@code observation}, {@code question} or {@code
 *     answer}
 * @param content the words; the tool of a call; an answer as JSON
 * @param data what else there is to it, by kind
 * @param state of what people write {@code new}, {@code waiting}, {@code taken} or {@code dropped}; of a question {@code
 *     open}, {@code answered} or {@code withdrawn}; else null
 * @param position its place in the history
 */
@Schema(name = "Message")
@RegisterForReflection
public record MessageView(
        UUID id,

        @Schema(enumeration = {"user", "assistant", "thought", "call", "observation", "question", "answer"})
        String kind,

        String content,
        @JsonRawValue @Schema(type = SchemaType.OBJECT) String data,
        @Schema(nullable = true) UUID userId,
        @Schema(nullable = true) UUID turnId,

        @Schema(
                nullable = true,
                enumeration = {"new", "waiting", "taken", "dropped", "open", "answered", "withdrawn"})
        String state,

        long position,
        Instant at) {}
