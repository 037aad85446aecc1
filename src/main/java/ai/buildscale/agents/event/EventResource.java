package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.http.EventStreams;
import ai.buildscale.agents.platform.http.SseWriter;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import io.smallrye.mutiny.Uni;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
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

/** Live events over SSE. */
@Path("/api/v1")
@Tag(name = "Events")
public class EventResource {
    private static final String FRAMES =
            "`id`, `event` and `data` (a JSON object) of each event; `StreamEvents` says which there are";
    private static final String EXAMPLE = """
            retry: 1000
            id: 52428800
            event: agent_task
            data: {"session_id":"0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d","chat_id":"0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2e",\
            "agent_type":"assistant","task":"Write the report","at":"2026-01-01T12:00:00.000Z","version":4}

            """;
    private static final String EVENTS = "{\"$ref\": \"#/components/schemas/StreamEvents\"}";
    private static final String RESUME = "the `id` of the last event that was read: the stream goes on right after it";
    private static final String SNAPSHOT =
            "true: begin with `event: snapshot`, the state as it is now; of no effect with a position";
    private static final String AS_HEADER = "the same where no header can be sent";
    private static final String AS_POLYFILL = "the same as some EventSource polyfills name it";
    private static final String TOKEN = "in place of a bearer token, from POST /stream-tokens";

    private final EventService service;
    private final EventConfig config;

    EventResource(EventService service, EventConfig config) {
        this.service = service;
        this.config = config;
    }

    @GET
    @Path("/workspaces/{workspaceId}/events")
    @Operation(
            operationId = "followWorkspace",
            summary = "Follow everything that happens in a workspace",
            description = "Server-Sent Events. Without a position the stream is live from now on and begins with"
                    + " `stream_open`, or with `snapshot=true` with the live sessions; either carries an `id`. With"
                    + " `Last-Event-ID` it resumes right after that. A position that is no longer held gets `reset`"
                    + " and a snapshot. When the caller's token ends, the last event is `token_expired`. A server"
                    + " that cannot serve the stream now answers 200 with `retry` and the end, so that EventSource"
                    + " comes again.")
    @APIResponse(
            responseCode = "200",
            description = "the stream",
            content =
                    @Content(
                            mediaType = "text/event-stream",
                            schema = @Schema(type = SchemaType.STRING, description = FRAMES),
                            example = EXAMPLE,
                            extensions = @Extension(name = EventStreams.EVENTS, value = EVENTS, parseValue = true)))
    public Uni<Response> workspace(
            @Context SecurityContext security,
            @Context HttpServerRequest request,
            @RestPath UUID workspaceId,
            @HeaderParam("Last-Event-ID") @Parameter(description = RESUME) String lastEventId,
            @QueryParam("lastEventId") @Parameter(description = AS_POLYFILL) String polyfill,
            @QueryParam("last_event_id") @Parameter(description = AS_HEADER) String parameter,
            @QueryParam("snapshot") @Parameter(description = SNAPSHOT) Boolean snapshot,
            @QueryParam("stream_token") @Parameter(description = TOKEN) String streamToken) {
        return follow(
                security, request, Topic.workspace(workspaceId), position(lastEventId, polyfill, parameter), snapshot);
    }

    @GET
    @Path("/workspaces/{workspaceId}/chats/{chatId}/events")
    @Operation(
            operationId = "followChat",
            summary = "Follow one chat",
            description = "As the workspace's stream, for one chat, for as long as there is the chat: it carries one"
                    + " session after the other. That of a plain session, which has no chat, ends with the session's"
                    + " last event; resumed after that it answers 204, so that EventSource stops. 404 if no"
                    + " session has ever had this chat.")
    @APIResponse(
            responseCode = "200",
            description = "the stream",
            content =
                    @Content(
                            mediaType = "text/event-stream",
                            schema = @Schema(type = SchemaType.STRING, description = FRAMES),
                            example = EXAMPLE,
                            extensions = @Extension(name = EventStreams.EVENTS, value = EVENTS, parseValue = true)))
    @APIResponse(responseCode = "204", description = "the plain session has ended and the client has every event")
    public Uni<Response> chat(
            @Context SecurityContext security,
            @Context HttpServerRequest request,
            @RestPath UUID workspaceId,
            @RestPath UUID chatId,
            @HeaderParam("Last-Event-ID") @Parameter(description = RESUME) String lastEventId,
            @QueryParam("lastEventId") @Parameter(description = AS_POLYFILL) String polyfill,
            @QueryParam("last_event_id") @Parameter(description = AS_HEADER) String parameter,
            @QueryParam("snapshot") @Parameter(description = SNAPSHOT) Boolean snapshot,
            @QueryParam("stream_token") @Parameter(description = TOKEN) String streamToken) {
        return follow(
                security,
                request,
                new Topic(workspaceId, chatId),
                position(lastEventId, polyfill, parameter),
                snapshot);
    }

    private Uni<Response> follow(
            SecurityContext security, HttpServerRequest request, Topic topic, Long after, Boolean snapshot) {
        Caller caller = Caller.of(security);
        if (request.method().equals(HttpMethod.HEAD)) {
            return service.follow(caller, topic, after, false)
                    .map(stream -> stream.isEmpty() ? Response.noContent().build() : EventStreams.head(request));
        }
        return service.withPermit(() -> service.follow(caller, topic, after, Boolean.TRUE.equals(snapshot))
                .chain(stream -> stream.isEmpty()
                        ? Uni.createFrom().item(Response.noContent().build())
                        : SseWriter.write(
                                        request,
                                        stream.get(),
                                        config.writeQueue(),
                                        config.stallTimeout(),
                                        service::cutOff)
                                .replaceWith((Response) null)));
    }

    /** The header comes first: EventSource keeps it up to date, while its address stays as it was. */
    private static Long position(String header, String polyfill, String parameter) {
        if (isGiven(header)) {
            return position("Last-Event-ID", header);
        }
        return isGiven(polyfill) ? position("lastEventId", polyfill) : position("last_event_id", parameter);
    }

    private static boolean isGiven(String text) {
        return text != null && !text.isEmpty();
    }

    private static Long position(String name, String text) {
        if (!isGiven(text)) {
            return null;
        }
        if (text.length() > 19 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw Problem.invalid(name, "must be an id that a stream of this service has sent");
        }
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw Problem.invalid(name, "must be an id that a stream of this service has sent");
        }
    }
}
