package ai.buildscale.agents.event;

import com.fasterxml.jackson.annotation.JsonRawValue;
import java.time.Instant;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * An event of the history, as it leaves over the wire.
 *
 * @param position the stream's {@code id}
 * @param event the stream's {@code event}
 * @param data the stream's {@code data}, a JSON object
 */
public record EventView(
        long position,
        String event,
        Instant at,

        @JsonRawValue @Schema(type = org.eclipse.microprofile.openapi.annotations.enums.SchemaType.OBJECT)
        String data) {}
