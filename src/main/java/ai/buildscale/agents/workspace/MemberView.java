package ai.buildscale.agents.workspace;

import java.time.Instant;
import java.util.UUID;

/** A membership as it leaves over the wire. */
public record MemberView(UUID workspaceId, UUID userId, Role role, Instant createdAt, Instant updatedAt) {}
