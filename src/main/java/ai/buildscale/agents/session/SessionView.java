package ai.buildscale.agents.session;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonRawValue;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A session as it leaves over the wire; null fields are sent as null. Names that only a newer server knows are passed on.
 *
 * @param result what the session completed with, any JSON
 * @param lastHeartbeat the last sign of life: its own beat, or the lease of the server that hosts it
 * @param completedAt when it became terminal, in whichever way
 * @param version counts changes of the session; the {@code ETag} is {@code "v<version>"}
 * @param epoch counts changes of owner; what an owner writes names it
 * @param requires the labels that a server must have to host it
 * @param stalledAt since when it runs without making progress; null if all is well
 */
@Schema(name = "Session")
@RegisterForReflection
public record SessionView(
        UUID id,
        UUID workspaceId,
        UUID chatId,
        UUID userId,
        @Schema(implementation = AgentType.class) String agentType,
        @Schema(implementation = SessionStatus.class) String status,
        String model,
        @Schema(implementation = Mode.class) String mode,
        @Schema(nullable = true) String currentTask,
        @Schema(nullable = true) String errorMessage,

        @JsonRawValue
        @Schema(implementation = Object.class, description = "any JSON; null unless it has completed with one")
        String result,

        Instant createdAt,
        Instant updatedAt,
        Instant lastHeartbeat,
        @Schema(nullable = true) Instant completedAt,
        @Schema(nullable = true) String chatName,
        @JsonProperty("is_terminal") boolean terminal,
        long version,
        long epoch,
        @Schema(implementation = Hosting.class) String hosting,
        @Schema(nullable = true) UUID serverId,
        @Schema(nullable = true) String serverHostname,
        @Schema(nullable = true) Instant lastProgressAt,
        @Schema(nullable = true) String blockedOn,
        @Schema(nullable = true) Pause pause,

        @JsonRawValue
        @Schema(type = SchemaType.OBJECT, additionalProperties = String.class, examples = "{\"team\": \"research\"}")
        String labels,

        @JsonRawValue
        @Schema(type = SchemaType.OBJECT, additionalProperties = String.class, examples = "{\"gpu\": \"true\"}")
        String requires,

        @Schema(nullable = true) Instant stalledAt,
        Usage usage,
        Budget budget) {

    /** What the session has used; {@code seconds} is the time in which its turns ran. */
    @RegisterForReflection
    @Schema(name = "SessionUsage")
    public record Usage(int turns, long inputTokens, long outputTokens, long seconds) {}

    /** @param by the user who paused it */
    @RegisterForReflection
    public record Pause(
            UUID id,
            @Schema(nullable = true) String reason,
            UUID by,
            Instant at,
            @Schema(nullable = true) Instant expiresAt) {}

    /** The strong entity tag. */
    public String etag() {
        return "\"v" + version + "\"";
    }
}
