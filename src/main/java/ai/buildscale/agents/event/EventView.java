package ai.buildscale.agents.event;

import com.fasterxml.jackson.annotation.JsonRawValue;
import java.time.Instant;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * An event of the history, as it leaves over the wire.
 *
 * @param position the stream's {@code id}
 * @param event the stream's {@code event}
 * @param data the stream's {@code data}, a JSON object
 */
@Schema(name = "SessionEvent")
public record EventView(
        long position,

        @Schema(
                enumeration = {
                    "agent_status",
                    "agent_task",
                    "agent_updated",
                    "agent_command",
                    "agent_stalled",
                    "agent_migrated",
                    "agent_recovered",
                    "mode_changed",
                    "message",
                    "session_init",
                    "thought",
                    "call",
                    "observation",
                    "question_pending",
                    "question_answered",
                    "done",
                    "stopped",
                    "error"
                })
        String event,

        Instant at,

        @JsonRawValue @Schema(type = SchemaType.OBJECT, description = "what `StreamEvents` says of the `event`")
        String data) {}
