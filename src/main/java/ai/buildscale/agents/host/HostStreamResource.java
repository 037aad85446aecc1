package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.http.EventStreams;
import ai.buildscale.agents.platform.security.Caller;
import io.smallrye.mutiny.Multi;
import io.vertx.core.http.HttpServerRequest;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.SecurityContext;
import java.time.Duration;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.extensions.Extension;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Work for hosts elsewhere over SSE. */
@Path("/api/v1")
@Tag(name = "Agent hosts")
public class HostStreamResource {
    private static final Duration STALL = Duration.ofSeconds(60);
    private static final String EXAMPLE =
            "retry: 1000\nevent: work\ndata: {\"turn_id\":\"0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d\",\"epoch\":2}\n\n";
    private static final String EVENTS = "{\"$ref\": \"#/components/schemas/WorkStreamEvents\"}";

    private final HostStream stream;

    HostStreamResource(HostStream stream) {
        this.stream = stream;
    }

    @GET
    @Path("/agent-hosts/{hostId}/work")
    @Operation(
            operationId = "streamWork",
            summary = "The same as a stream, for a host that has time for what comes",
            description = "Server-Sent Events: `event: work` for each turn, as many as the host has room for. It ends"
                    + " with the token, or when the server stops; the host comes again.")
    @APIResponse(
            responseCode = "200",
            description = "the stream",
            content =
                    @Content(
                            mediaType = "text/event-stream",
                            schema =
                                    @Schema(
                                            type = SchemaType.STRING,
                                            description = "`event` and `data` (`Work`) of each turn"),
                            example = EXAMPLE,
                            extensions = @Extension(name = EventStreams.EVENTS, value = EVENTS, parseValue = true)))
    public Multi<byte[]> work(
            @Context SecurityContext security,
            @Context HttpServerRequest request,
            @RestPath UUID hostId,
            @QueryParam("limit") @Min(1) @Max(100) @Parameter(description = "turns in one go; 10 where it is not given")
                    Integer limit) {
        return EventStreams.of(
                request,
                stream.open(Caller.of(security), hostId, limit == null ? 10 : limit, request.response()::closed),
                STALL);
    }
}
