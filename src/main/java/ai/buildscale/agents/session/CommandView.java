package ai.buildscale.agents.session;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A command to the owner of a hosted session, and its state.
 *
 * @param command {@code pause}, {@code resume}, {@code cancel} or {@code migrate}
 * @param acceptedAt when the session's record was changed
 * @param deliveredAt when its owner took it
 * @param appliedAt when the agent had really done it, or it was refused
 * @param serverId the owner, as far as is known
 * @param epoch the owner's
 * @param targetServerId where a migration is to lead; null leaves it to placement
 * @param fenced the owner did not do it in time, and lost the session
 * @param detail why it was rejected
 */
@Schema(name = "Command")
@RegisterForReflection
public record CommandView(
        UUID id,
        UUID sessionId,

        @Schema(enumeration = {"pause", "resume", "cancel", "migrate", "stop"})
        String command,

        CommandState state,
        Instant acceptedAt,
        @Schema(nullable = true) Instant deliveredAt,
        @Schema(nullable = true) Instant appliedAt,
        @Schema(nullable = true) UUID serverId,
        long epoch,
        @Schema(nullable = true) UUID targetServerId,
        boolean fenced,
        @Schema(nullable = true) String detail) {

    /** Nothing more will become of it. */
    @JsonIgnore
    public boolean isOver() {
        return appliedAt != null;
    }
}
