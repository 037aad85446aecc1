package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.platform.security.StreamTokens;
import io.smallrye.mutiny.Uni;
import jakarta.validation.Valid;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.SecurityContext;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** Creates tokens for EventSource, which sends no headers. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Events")
public class StreamTokenResource {
    private static final String UUID_REGEX = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
    private static final String STREAM_PATH =
            "/api/v1/workspaces/" + UUID_REGEX + "(/chats/" + UUID_REGEX + ")?/events";

    private final StreamTokens tokens;

    StreamTokenResource(StreamTokens tokens) {
        this.tokens = tokens;
    }

    /** @param path the stream's path, without a query */
    public record StreamTokenRequest(
            @NotNull
            @Pattern(regexp = STREAM_PATH, message = "must be the path of an event stream, without a query")
            @Schema(examples = "/api/v1/workspaces/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/events")
            String path) {}

    /** @param expiresIn seconds in which the stream must be opened for the first time */
    public record StreamToken(String streamToken, int expiresIn) {}

    @POST
    @Path("/stream-tokens")
    @Operation(
            operationId = "createStreamToken",
            summary = "A token for one event stream",
            description = "Append it as `?stream_token=…`. It is good for the caller and this path alone. Once it has"
                    + " opened its stream in time, it opens it again, with or without a position, for as long as the"
                    + " caller's own token is valid: so EventSource's automatic reconnect works.")
    public Uni<StreamToken> issue(@Context SecurityContext security, @Valid @NotNull StreamTokenRequest body) {
        return tokens.issue(Caller.of(security), body.path())
                .map(token -> new StreamToken(token, StreamTokens.SECONDS));
    }
}
