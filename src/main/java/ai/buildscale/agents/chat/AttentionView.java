package ai.buildscale.agents.chat;

import ai.buildscale.agents.session.AgentType;
import com.fasterxml.jackson.annotation.JsonRawValue;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * An item that waits for a person, as it leaves over the wire.
 *
 * @param kind why it waits: a question, a paused or a stalled session
 * @param detail the question, or why the session is paused
 * @param schema the JSON schema of the answer to a question
 */
@Schema(name = "AttentionItem")
@RegisterForReflection
public record AttentionView(
        @Schema(enumeration = {"question", "paused", "stalled"})
        String kind,

        UUID sessionId,
        UUID chatId,
        @Schema(nullable = true) String chatName,
        @Schema(implementation = AgentType.class) String agentType,
        UUID userId,
        Instant since,
        @Schema(nullable = true) String detail,
        @Schema(nullable = true) UUID questionId,

        @JsonRawValue @Schema(type = SchemaType.OBJECT, nullable = true)
        String schema) {}
