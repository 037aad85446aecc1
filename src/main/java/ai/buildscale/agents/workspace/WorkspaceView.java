package ai.buildscale.agents.workspace;

import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A workspace as it leaves over the wire.
 *
 * @param role the caller's own; null for a platform admin who is not a member
 * @param maxLiveSessions the quota: sessions that have not ended
 * @param liveSessions how much of it is used
 */
@RegisterForReflection
@Schema(name = "Workspace")
public record WorkspaceView(
        UUID id,
        String name,
        UUID createdBy,

        @Schema(implementation = Role.class, nullable = true)
        String role,

        int maxLiveSessions,
        int liveSessions,
        int version,
        Instant createdAt,
        Instant updatedAt) {}
