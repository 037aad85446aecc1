package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventView;
import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.http.EntityTags;
import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.SessionRepository.Transition;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Role;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotEmpty;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Size;
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
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Agent sessions over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(
        name = "Agent sessions",
        description =
                "For the session's owner, as a member of its workspace: with the role member or above to command it,"
                        + " as a viewer to read it. The sessions of who has left, or only views, are read and ended by the"
                        + " workspace's owners and admins. For the group admin, everything.")
public class SessionResource {
    private static final int MAX_EVENTS = 1_000;
    private static final int MAX_REASON = 1_000;
    private static final int MAX_RESULT = 65_536;
    /** The longest that an answer is held, in seconds. */
    public static final int MAX_WAIT = 30;

    private static final String WAIT =
            "seconds that the answer may be held until the owner of a hosted session has carried the command out";

    private final SessionService service;
    private final Idempotency idempotency;

    SessionResource(SessionService service, Idempotency idempotency) {
        this.service = service;
        this.idempotency = idempotency;
    }

    @RegisterForReflection
    public record OneSession(SessionView session) {}

    /** @param command what the owner of a hosted session was told, and how far it is; else null */
    @RegisterForReflection
    public record Commanded(
            SessionView session,
            String message,
            @Schema(nullable = true) CommandView command) {}

    public record Commands(List<CommandView> commands) {}

    public record OneCommand(CommandView command) {}

    public record Sessions(
            List<SessionView> sessions,
            long total,
            @Schema(nullable = true) String nextCursor) {}

    public record Start(@Size(max = SessionChange.MAX_TEXT) String task) {}

    /** @param expiresIn seconds after which the session goes on by itself */
    public record PauseRequest(
            @Size(max = MAX_REASON) @Schema(examples = "Waiting for review")
            String reason,

            @Min(1) @Max(31_622_400) @Schema(description = "seconds", examples = "3600")
            Long expiresIn) {}

    /** @param pauseId the pause that is meant; a repeat with the same one is a success */
    public record Resume(@Size(max = SessionChange.MAX_TEXT) String task, UUID pauseId) {}

    /** @param result any JSON */
    public record Complete(
            @Schema(implementation = Object.class, description = "any JSON, up to 64 kB")
            JsonNode result) {}

    public record Fail(
            @NotNull @NotBlank @Size(max = SessionChange.MAX_TEXT) @Schema(examples = "The model refused")
            String errorMessage) {}

    /** @param progress anything but null and false says that the agent has got on since its last beat */
    public record Heartbeat(
            @NotNull @Min(0) @Schema(examples = "1") Long epoch,

            @Schema(
                    implementation = Object.class,
                    description = "anything but null and false: the agent has got on",
                    examples = "true")
            JsonNode progress,

            @Size(max = SessionChange.MAX_TEXT) String currentTask) {}

    @JsonDeserialize(using = BeatJson.Reader.class)
    public record Beat(
            @NotNull UUID id,
            @NotNull @Min(0) @Schema(examples = "1") Long epoch) {}

    /** The beats are checked by {@link #requireComplete}: Bean Validation takes longer than the statement. */
    public record Heartbeats(
            @NotNull @NotEmpty @Size(max = 1_000) List<Beat> beats) {}

    @RegisterForReflection
    @JsonSerialize(using = BeatJson.Writer.class)
    public record HeartbeatAnswers(List<SessionService.BeatAnswer> beats) {}

    /** @param nextAfter where to go on: the last position given, or the one asked for if there was none */
    public record Events(List<EventView> events, long nextAfter) {}

    @POST
    @Path("/workspaces/{workspaceId}/agent-sessions")
    @Operation(summary = "Create a session, idle; a new chat where none is given")
    @APIResponse(responseCode = "201", content = @Content(schema = @Schema(implementation = OneSession.class)))
    public Uni<Response> create(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @RestPath UUID workspaceId,
            @Valid @NotNull NewSession body) {
        Caller caller = Caller.of(security);
        return idempotency
                .once(
                        caller,
                        key,
                        "POST /api/v1/workspaces/" + workspaceId + "/agent-sessions",
                        body,
                        (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                        db -> service.create(db, caller, workspaceId, body)
                                .map(created -> StoredResponse.created(
                                                "/api/v1/agent-sessions/" + created.id(), new OneSession(created))
                                        .tagged(created.etag())))
                .map(StoredResponse::response);
    }

    @GET
    @Path("/workspaces/{workspaceId}/agent-sessions")
    @Operation(summary = "The workspace's live sessions, newest first; a page at a time")
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
    @Operation(summary = "One session")
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
    @Operation(summary = "Change what is not the state", description = "A field that is not named stays as it is.")
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

    @POST
    @Path("/agent-sessions/{id}/start")
    @Operation(
            summary = "Idle or paused → running",
            description =
                    "A chat's session runs only with a turn: its task is a message to the agent. 409 without a task"
                            + " and without a message that waits. Where hosts elsewhere run its agent, it is `idle` until"
                            + " one takes the turn.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> start(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid Start body) {
        String task = body == null ? null : body.task();
        return command(
                security,
                key,
                id,
                body,
                new Transition(SessionCommand.START, null, task, null, null, EntityTags.versions(ifMatch), null, null),
                Duration.ZERO);
    }

    @POST
    @Path("/agent-sessions/{id}/yield")
    @Operation(summary = "Running → idle: the turn is over")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> yieldTurn(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id) {
        return command(
                security,
                key,
                id,
                null,
                new Transition(SessionCommand.YIELD, null, null, null, null, EntityTags.versions(ifMatch), null, null),
                Duration.ZERO);
    }

    @POST
    @Path("/agent-sessions/{id}/pause")
    @Operation(summary = "Running or idle → paused; already paused is a success")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> pause(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid PauseRequest body,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        Duration pauseFor = body == null || body.expiresIn() == null ? null : Duration.ofSeconds(body.expiresIn());
        return command(
                security,
                key,
                id,
                body,
                new Transition(
                        SessionCommand.PAUSE,
                        body == null ? null : body.reason(),
                        null,
                        null,
                        null,
                        EntityTags.versions(ifMatch),
                        null,
                        pauseFor),
                wait(wait));
    }

    @POST
    @Path("/agent-sessions/{id}/resume")
    @Operation(
            summary = "Paused → running if it was paused while running or gets a task, else idle",
            description =
                    "409 unless it is paused; a repeat with the same pause_id is a success. A chat's session goes on"
                            + " with its turn, then with the task, which is a message to the agent. Where hosts elsewhere"
                            + " run the agent and none has the turn, it is `idle` until one takes it.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> resume(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid Resume body,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        return command(
                security,
                key,
                id,
                body,
                new Transition(
                        SessionCommand.RESUME,
                        null,
                        body == null ? null : body.task(),
                        null,
                        null,
                        EntityTags.versions(ifMatch),
                        body == null ? null : body.pauseId(),
                        null),
                wait(wait));
    }

    @POST
    @Path("/agent-sessions/{id}/complete")
    @Operation(summary = "Running or paused → completed")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> complete(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @RequestBody(required = false) @Valid Complete body) {
        String result = body == null || body.result() == null || body.result().isNull()
                ? null
                : body.result().toString();
        if (result != null && result.length() > MAX_RESULT) {
            throw Problem.invalid("result", "must have at most " + MAX_RESULT + " characters as JSON");
        }
        return command(
                security,
                key,
                id,
                body,
                new Transition(
                        SessionCommand.COMPLETE, null, null, null, result, EntityTags.versions(ifMatch), null, null),
                Duration.ZERO);
    }

    @POST
    @Path("/agent-sessions/{id}/fail")
    @Operation(summary = "Running → error")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> fail(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @Valid @NotNull Fail body) {
        return command(
                security,
                key,
                id,
                body,
                new Transition(
                        SessionCommand.FAIL,
                        null,
                        null,
                        body.errorMessage(),
                        null,
                        EntityTags.versions(ifMatch),
                        null,
                        null),
                Duration.ZERO);
    }

    @DELETE
    @Path("/agent-sessions/{id}")
    @Operation(summary = "Cancel: the record stays; repeating it is a success")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> cancel(
            @Context SecurityContext security,
            @HeaderParam("If-Match") String ifMatch,
            @RestPath UUID id,
            @QueryParam("reason") String reason,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        return command(
                security,
                null,
                id,
                null,
                new Transition(
                        SessionCommand.CANCEL,
                        TextRules.parameter("reason", reason, MAX_REASON),
                        null,
                        null,
                        null,
                        EntityTags.versions(ifMatch),
                        null,
                        null),
                wait(wait));
    }

    @POST
    @Path("/agent-sessions/{id}/heartbeat")
    @Operation(
            summary = "Keep a session alive, as its agent",
            description = "`desired_status` is the state people want it in: the agent obeys it, even if it missed an"
                    + " event. 409 `FENCED` once another owner holds the session.")
    @APIResponse(
            responseCode = "200",
            content = @Content(schema = @Schema(implementation = SessionService.Lease.class)))
    public Uni<Response> heartbeat(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @RestPath UUID id,
            @Valid @NotNull Heartbeat body) {
        Caller caller = Caller.of(security);
        boolean progress = body.progress() != null
                && !body.progress().isNull()
                && !(body.progress().isBoolean() && !body.progress().booleanValue());
        SessionChange note = SessionChange.ofHeartbeat(progress, body.currentTask());
        return once(
                caller,
                key,
                "POST /api/v1/agent-sessions/" + id + "/heartbeat",
                body,
                (db, _) -> service.requireBeatsFor(db, caller, id),
                db -> service.beat(db, caller, id, body.epoch(), note).map(StoredResponse::ok));
    }

    @POST
    @Path("/agent-sessions/heartbeats")
    @Operation(summary = "Keep up to 1,000 sessions alive, in one statement; one answer for each beat, in their order")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = HeartbeatAnswers.class)))
    public Uni<Response> heartbeats(
            @Context SecurityContext security,
            @HeaderParam("Idempotency-Key") String key,
            @Valid @NotNull Heartbeats body) {
        Caller caller = Caller.of(security);
        requireComplete(body.beats());
        UUID[] ids = body.beats().stream().map(Beat::id).toArray(UUID[]::new);
        Long[] epochs = body.beats().stream().map(Beat::epoch).toArray(Long[]::new);
        return once(
                caller,
                key,
                "POST /api/v1/agent-sessions/heartbeats",
                body,
                (db, kept) -> service.requireBeatsFor(db, caller, answered(kept)),
                db -> service.beat(db, caller, ids, epochs)
                        .map(answers -> StoredResponse.ok(new HeartbeatAnswers(answers))));
    }

    /** The sessions that these answers tell of. */
    private static UUID[] answered(StoredResponse kept) {
        return new JsonObject(((Idempotency.Kept) kept.body()).json())
                .getJsonArray("beats").stream()
                        .map(JsonObject.class::cast)
                        .filter(beat -> beat.getValue("epoch") != null)
                        .map(beat -> UUID.fromString(beat.getString("id")))
                        .toArray(UUID[]::new);
    }

    private static void requireComplete(List<Beat> beats) {
        for (int i = 0; i < beats.size(); i++) {
            Beat beat = beats.get(i);
            String field = "beats[" + i + "]";
            if (beat == null) {
                throw Problem.invalid(field, "must not be null");
            }
            if (beat.id() == null) {
                throw Problem.invalid(field + ".id", "must not be null");
            }
            if (beat.epoch() == null) {
                throw Problem.invalid(field + ".epoch", "must not be null");
            }
            if (beat.epoch() < 0) {
                throw Problem.invalid(field + ".epoch", "must be greater than or equal to 0");
            }
        }
    }

    @GET
    @Path("/agent-sessions/{id}/events")
    @Operation(summary = "The session's history, in order")
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

    private static Duration wait(Integer seconds) {
        return Duration.ofSeconds(seconds == null ? 0 : seconds);
    }

    private Uni<Response> command(
            SecurityContext security, String key, UUID id, Object body, Transition transition, Duration wait) {
        Caller caller = Caller.of(security);
        SessionCommand command = transition.command();
        String target = "POST /api/v1/agent-sessions/" + id + "/" + command;
        return idempotency
                .once(
                        caller,
                        key,
                        target,
                        body,
                        (db, _) -> service.get(db, caller, id),
                        db -> service.command(db, caller, id, transition)
                                .map(given -> answer(
                                        given, command.message(given.session().status()))),
                        answer -> settled(caller, (Commanded) answer.body(), wait))
                .map(StoredResponse::response);
    }

    private Uni<StoredResponse> settled(Caller caller, Commanded given, Duration wait) {
        return service.settled(caller, new SessionService.Commanded(given.session(), given.command()), wait)
                .map(settled -> answer(settled, given.message()));
    }

    private static StoredResponse answer(SessionService.Commanded given, String message) {
        return StoredResponse.ok(new Commanded(given.session(), message, given.command()))
                .tagged(given.session().etag());
    }

    @GET
    @Path("/agent-sessions/{id}/commands")
    @Operation(summary = "What the owner of a hosted session was told, and how far each command is; oldest first")
    public Uni<Commands> commands(@Context SecurityContext security, @RestPath UUID id) {
        return service.commands(Caller.of(security), id).map(Commands::new);
    }

    @GET
    @Path("/agent-sessions/{id}/commands/{commandId}")
    @Operation(summary = "One command")
    public Uni<OneCommand> oneCommand(
            @Context SecurityContext security,
            @RestPath UUID id,
            @RestPath UUID commandId,
            @QueryParam("wait") @Min(0) @Max(MAX_WAIT) @Parameter(description = WAIT) Integer wait) {
        return service.commandOf(Caller.of(security), id, commandId, wait(wait)).map(OneCommand::new);
    }

    private Uni<Response> once(
            Caller caller,
            String key,
            String target,
            Object body,
            Idempotency.Review review,
            Function<Db, Uni<StoredResponse>> work) {
        return idempotency.once(caller, key, target, body, review, work).map(StoredResponse::response);
    }
}
