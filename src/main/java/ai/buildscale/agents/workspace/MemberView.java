package ai.buildscale.agents.workspace;

import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** A membership as it leaves over the wire. */
@RegisterForReflection
@Schema(name = "Member")
public record MemberView(
        UUID workspaceId,
        UUID userId,
        @Schema(implementation = Role.class) String role,
        Instant createdAt,
        Instant updatedAt) {}
