package ai.buildscale.agents.host;

import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.turn.FencingToken;
import com.fasterxml.jackson.annotation.JsonRawValue;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A turn as it is given to a host.
 *
 * @param epoch what all that it says of the turn must name: with another one it is fenced
 * @param attempt 1, and one more each time that the turn's host was lost
 * @param messageId the message that began it
 * @param said its answer so far; the host goes on after it
 * @param history what was said and done in the chat, oldest first, this turn's own part included
 * @param ttlSeconds the silence that the host may keep before the turn is given to another
 */
@Schema(name = "Work")
@RegisterForReflection
public record HostWork(
        UUID turnId,
        UUID sessionId,
        UUID chatId,
        UUID workspaceId,
        long epoch,
        int attempt,
        @Schema(implementation = AgentType.class) String agentType,
        @Schema(implementation = Mode.class) String mode,
        String model,
        @Schema(nullable = true) String goal,
        UUID messageId,
        String said,
        List<WorkEntry> history,
        long ttlSeconds) {

    /** An entry of a chat's history; see {@link MessageView}. */
    @Schema(name = "WorkEntry")
    @RegisterForReflection
    public record WorkEntry(
            @Schema(enumeration = {"user", "assistant", "thought", "call", "observation", "question", "answer"})
            String kind,

            String content,
            @JsonRawValue @Schema(type = SchemaType.OBJECT) String data) {}

    FencingToken fence() {
        return new FencingToken(turnId, sessionId, chatId, epoch);
    }

    HostWork with(List<WorkEntry> known) {
        return new HostWork(
                turnId,
                sessionId,
                chatId,
                workspaceId,
                epoch,
                attempt,
                agentType,
                mode,
                model,
                goal,
                messageId,
                said,
                known,
                ttlSeconds);
    }
}
