package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventView;
import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.http.EntityTags;
import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Role;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Agent sessions over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Agent sessions")
public class SessionResource {
    private static final int MAX_EVENTS = 1_000;

    private final SessionService service;
    private final CommandAnswers answers;
    private final Idempotency idempotency;

    SessionResource(SessionService service, CommandAnswers answers, Idempotency idempotency) {
        this.service = service;
        this.answers = answers;
        this.idempotency = idempotency;
    }

    @RegisterForReflection
    @Schema(name = "SessionAnswer")
    public record OneSession(SessionView session) {}

    @Schema(name = "SessionList")
    public record Sessions(
            List<SessionView> sessions,
            long total,
            @Schema(nullable = true) String nextCursor) {}

    /** @param nextAfter where to go on: the last position given, or the one asked for if there was none */
    @Schema(name = "SessionEventList")
    public record Events(List<EventView> events, long nextAfter) {}

    @POST
    @Path("/workspaces/{workspaceId}/agent-sessions")
    @Operation(
            operationId = "createSession",
            summary = "Create a session, idle; a new chat where none is given",
            description =
                    "409 if the chat has a live session. 429 `QUOTA_EXCEEDED` if the workspace has as many as it may.")
    @APIResponse(
            responseCode = "201",
            description = "created",
            content = @Content(schema = @Schema(implementation = OneSession.class)))
    public Uni<Response> create(
            @Context SecurityContext security, @RestPath UUID workspaceId, @Valid @NotNull NewSession body) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                db -> service.create(db, caller, workspaceId, body)
                        .map(created -> StoredResponse.created(
                                        "/api/v1/agent-sessions/" + created.id(), new OneSession(created))
                                .tagged(created.etag())));
    }

    @GET
    @Path("/workspaces/{workspaceId}/agent-sessions")
    @Operation(
            operationId = "listSessions",
            summary = "The workspace's live sessions, newest first; a page at a time",
            description = "Live ones unless `status` says otherwise. `cursor=next_cursor` goes on; null is the end.")
    public Uni<Sessions> list(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @QueryParam("status") @Parameter(description = "may repeat; `all` adds the terminal ones")
                    List<String> statuses,
            @QueryParam("agent_type") String agentType,
            @QueryParam("user_id") UUID userId,
            @QueryParam("server_id") UUID serverId,
            @QueryParam("label") @Parameter(description = "key:value; may repeat, all must match") List<String> labels,
            @QueryParam("limit") Integer limit,
            @QueryParam("cursor") String cursor) {
        boolean all = statuses.contains("all");
        Set<SessionStatus> named = EnumSet.noneOf(SessionStatus.class);
        statuses.stream()
                .filter(status -> !status.equals("all"))
                .forEach(status -> named.add(WireEnum.parameter(SessionStatus.class, "status", status)));
        Page page = Page.of(limit, cursor);
        AgentType type = WireEnum.parameter(AgentType.class, "agent_type", agentType);
        return service.list(
                        Caller.of(security),
                        workspaceId,
                        SessionService.filter(named, all, type, userId, serverId, Labels.filter(labels)),
                        page)
                .map(found -> new Sessions(
                        found.sessions(),
                        found.total(),
                        found.sessions().size() < page.limit()
                                ? null
                                : Page.cursorAfter(found.sessions().getLast().id())));
    }

    @GET
    @Path("/agent-sessions/{id}")
    @Operation(
            operationId = "getSession",
            summary = "One session",
            description = "304 without a body if it is still at the version that `If-None-Match` names.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = OneSession.class)))
    @APIResponse(responseCode = "304", description = "not changed since the version that If-None-Match names")
    public Uni<Response> get(
            @Context SecurityContext security, @HeaderParam("If-None-Match") String ifNoneMatch, @RestPath UUID id) {
        return service.get(Caller.of(security), id)
                .map(session -> EntityTags.matches(ifNoneMatch, session.etag())
                        ? Response.notModified().header("ETag", session.etag()).build()
                        : Response.ok(new OneSession(session))
                                .header("ETag", session.etag())
                                .build());
    }

    @PATCH
    @Path("/agent-sessions/{id}")
    @Operation(
            operationId = "updateSession",
            summary = "Change what is not the state",
            description = "A field that is not named stays as it is.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = OneSession.class)))
    public Uni<Response> change(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @Valid @NotNull SessionChange body) {
        if (body.isEmpty()) {
            throw Problem.invalid("body", "must name at least one field to change");
        }
        if (body.wronglyCleared() != null) {
            throw Problem.invalid(body.wronglyCleared(), "must not be null");
        }
        return service.change(Caller.of(security), id, EntityTags.versions(ifMatch), body)
                .map(session -> Response.ok(new OneSession(session))
                        .header("ETag", session.etag())
                        .build());
    }

    @DELETE
    @Path("/agent-sessions/{id}")
    @Operation(
            operationId = "cancelSession",
            summary = "Cancel: the record stays; repeating it is a success",
            description =
                    "409 once it has completed or failed. With `wait`, the answer is held until the agent has really stopped.")
    @APIResponse(
            responseCode = "200",
            content = @Content(schema = @Schema(implementation = SessionCommandResource.Commanded.class)))
    public Uni<Response> cancel(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @QueryParam("reason") String reason,
            @QueryParam("wait")
                    @Min(0)
                    @Max(SessionCommandResource.MAX_WAIT)
                    @Parameter(description = SessionCommandResource.WAIT)
                    Integer wait) {
        return answers.command(
                Caller.of(security),
                id,
                null,
                Transition.cancel(
                        TextRules.parameter("reason", reason, SessionCommandResource.MAX_REASON),
                        EntityTags.versions(ifMatch)),
                SessionCommandResource.seconds(wait));
    }

    @GET
    @Path("/agent-sessions/{id}/events")
    @Operation(
            operationId = "listSessionEvents",
            summary = "The session's history, in order",
            description = "Each with the `event` and `data` that streams carry. `after=next_after` goes on.")
    public Uni<Events> events(
            @Context SecurityContext security,
            @RestPath UUID id,
            @QueryParam("after") @Min(0) Long after,
            @QueryParam("limit") @Min(1) @Max(MAX_EVENTS) Integer limit) {
        long from = after == null ? 0 : after;
        return service.history(Caller.of(security), id, from, limit == null ? Page.DEFAULT_LIMIT : limit)
                .map(events -> new Events(
                        events, events.isEmpty() ? from : events.getLast().position()));
    }
}
