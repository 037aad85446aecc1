package ai.buildscale.agents.workspace;

import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;

/** A membership as it leaves over the wire. */
@RegisterForReflection
public record MemberView(UUID workspaceId, UUID userId, Role role, Instant createdAt, Instant updatedAt) {}
