package ai.buildscale.agents.host;

import ai.buildscale.agents.session.AgentType;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A process elsewhere that runs agents, as it leaves over the wire.
 *
 * @param userId whose it is: it serves the chats of this user's workspaces
 * @param agentTypes those that it serves; null for all
 * @param models the same for models
 * @param capacity how many turns it may have at once
 * @param turns how many it has
 * @param lastSeen when it last beat or asked for work
 */
@Schema(name = "AgentHost")
@RegisterForReflection
public record HostView(
        UUID id,
        UUID userId,
        String name,

        @Schema(implementation = AgentType.class, type = SchemaType.ARRAY, nullable = true)
        List<String> agentTypes,

        @Schema(nullable = true) List<String> models,
        int capacity,
        int turns,
        Instant registeredAt,
        Instant lastSeen) {}
