package ai.buildscale.agents.chat;

import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Hosting;
import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.turn.BusyPolicy;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A chat as it leaves over the wire; null fields are sent as null.
 *
 * @param userId who began it
 * @param onBusy what a message does that finds the agent busy, unless it says otherwise
 */
@Schema(name = "Chat")
@RegisterForReflection
public record ChatView(
        UUID id,
        UUID workspaceId,
        UUID userId,
        @Schema(nullable = true) String name,
        @Schema(nullable = true) String goal,
        @Schema(implementation = AgentType.class) String agentType,
        String model,
        @Schema(implementation = Mode.class) String mode,
        @Schema(implementation = Hosting.class) String hosting,
        @Schema(implementation = BusyPolicy.class) String onBusy,
        Instant createdAt,
        Instant updatedAt) {}
