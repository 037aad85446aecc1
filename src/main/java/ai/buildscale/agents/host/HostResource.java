package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.SessionCommandResource;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import io.vertx.core.http.HttpServerResponse;
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
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Hosts elsewhere and their turns over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Agent hosts")
public class HostResource {
    private static final int MAX_CAPACITY = 10_000;
    private static final int USUAL_CAPACITY = 100;
    private static final int MAX_WORK = 100;
    private static final int USUAL_WORK = 10;
    private static final int USUAL_WAIT = 20;
    private static final int MAX_BEATS = 1_000;
    private static final int MAX_EVENTS = 100;

    private final HostService service;
    private final HostTurns turns;
    private final HostEndings endings;
    private final Idempotency idempotency;

    HostResource(HostService service, HostTurns turns, HostEndings endings, Idempotency idempotency) {
        this.service = service;
        this.turns = turns;
        this.endings = endings;
        this.idempotency = idempotency;
    }

    /**
     * @param agentTypes those that it serves; all where it is not given
     * @param models likewise
     * @param capacity how many turns it may have at once; 100 where it is not given
     */
    public record NewHost(
            @NotNull @NotBlank @Size(max = 200) @Schema(examples = "gpu-box-7")
            String name,

            @Size(min = 1, max = 3) List<@NotNull AgentType> agentTypes,
            @Size(min = 1, max = 100) List<@NotNull @NotBlank @Size(max = 200) String> models,
            @Min(1) @Max(MAX_CAPACITY) Integer capacity) {}

    @RegisterForReflection
    @Schema(name = "AgentHostAnswer")
    public record OneHost(HostView host) {}

    @Schema(name = "AgentHostList")
    public record Hosts(List<HostView> hosts, int count) {}

    /**
     * @param limit turns at most; 10 where it is not given
     * @param turns those that the host has, an empty list for none: each gets a beat, and what it was given and does not
     *     name is given again at once. Where it is not given, that takes the lease
     */
    @Schema(name = "WorkRequest")
    public record Ask(
            @Min(1) @Max(MAX_WORK) Integer limit,
            @Size(max = MAX_BEATS) List<@NotNull @Valid TurnBeat> turns) {}

    @RegisterForReflection
    @Schema(name = "WorkList")
    public record GivenWork(List<HostWork> work) {}

    /** @param turns those that it runs; none where it is not given */
    @Schema(name = "HostHeartbeatRequest")
    public record Beats(@Size(max = MAX_BEATS) List<@NotNull @Valid TurnBeat> turns) {
        List<TurnBeat> all() {
            return turns == null ? List.of() : turns;
        }
    }

    /** One turn's beat. */
    public record TurnBeat(
            @NotNull UUID turnId,
            @NotNull @Min(0) @Schema(examples = "2") Long epoch) {}

    @RegisterForReflection
    @Schema(name = "HostHeartbeatAnswer")
    public record HostBeatAnswer(HostView host, List<HostTurns.TurnBeatAnswer> turns) {}

    /** @param seq counts the requests of a turn, so that the last one may be sent again */
    @Schema(name = "TurnEvents")
    public record Told(
            @NotNull @Min(0) @Schema(examples = "2") Long epoch,
            @Min(0) Long seq,

            @NotNull @NotEmpty @Size(max = MAX_EVENTS) List<@NotNull @Valid HostEvent> events) {}

    @POST
    @Path("/agent-hosts")
    @Operation(
            operationId = "registerAgentHost",
            summary = "Register a process elsewhere that runs agents",
            description =
                    "It serves chats with `\"hosting\":\"external\"` in the workspaces that the caller is a member"
                            + " of; in all workspaces if the caller is in the group admin too.")
    @APIResponse(
            responseCode = "201",
            description = "registered",
            content = @Content(schema = @Schema(implementation = OneHost.class)))
    public Uni<Response> register(@Context SecurityContext security, @Valid @NotNull NewHost body) {
        Caller caller = Caller.of(security);
        int capacity = body.capacity() == null ? USUAL_CAPACITY : body.capacity();
        return idempotency.once(
                body,
                Idempotency.Review.NONE,
                db -> service.register(db, caller, body.name(), body.agentTypes(), body.models(), capacity)
                        .map(host -> StoredResponse.created("/api/v1/agent-hosts/" + host.id(), new OneHost(host))));
    }

    @GET
    @Path("/agent-hosts")
    @Operation(
            operationId = "listAgentHosts",
            summary = "The caller's hosts; all for the group admin. Those registered last first, 1,000 at most",
            description = "With the turns that each has, counted now.")
    public Uni<Hosts> list(@Context SecurityContext security) {
        return service.list(Caller.of(security)).map(all -> new Hosts(all, all.size()));
    }

    @GET
    @Path("/agent-hosts/{hostId}")
    @Operation(operationId = "getAgentHost", summary = "One host", description = "For its user, and the group admin.")
    public Uni<OneHost> get(@Context SecurityContext security, @RestPath UUID hostId) {
        return service.get(Caller.of(security), hostId).map(OneHost::new);
    }

    @DELETE
    @Path("/agent-hosts/{hostId}")
    @Operation(
            operationId = "removeAgentHost",
            summary = "The host leaves: its turns are given to others at once",
            description = "Each waits for the next host as long as it must, and its session is idle meanwhile.")
    public Uni<Void> leave(@Context SecurityContext security, @RestPath UUID hostId) {
        return service.leave(Caller.of(security), hostId);
    }

    @POST
    @Path("/agent-hosts/{hostId}/work")
    @Operation(
            operationId = "claimWork",
            summary = "Ask for turns to run; the answer is held until there is one",
            description =
                    "None is given to two hosts. A turn whose host keeps silent for `ttl_seconds` is given to another,"
                            + " with a higher `epoch`; that is an attempt only if the host was heard of the turn: a turn"
                            + " is begun by its first event, or the first beat that names it. An answer that was lost"
                            + " costs that time, unless the next request says which `turns` the host has: then all others"
                            + " that it was given are given again at once, with a higher `epoch`. A host that says so asks"
                            + " one request at a time.")
    public Uni<GivenWork> work(
            @Context SecurityContext security,
            @Context HttpServerResponse response,
            @RestPath UUID hostId,
            @QueryParam("wait")
                    @Min(0)
                    @Max(SessionCommandResource.MAX_WAIT)
                    @Parameter(description = "seconds that the answer may be held; 20 where it is not given")
                    Integer wait,
            @RequestBody(required = false) @Valid Ask body) {
        int limit = body == null || body.limit() == null ? USUAL_WORK : body.limit();
        return service.work(
                        Caller.of(security),
                        hostId,
                        limit,
                        body == null ? null : body.turns(),
                        Duration.ofSeconds(wait == null ? USUAL_WAIT : wait),
                        response::closed)
                .map(GivenWork::new);
    }

    @POST
    @Path("/agent-hosts/{hostId}/heartbeat")
    @Operation(
            operationId = "heartbeatAgentHost",
            summary = "Keep the host and its turns; learn what people want of each",
            description = "`desired_status` is obeyed by a result with the outcome `paused` or `stopped`: `idle` is to"
                    + " stop this turn. A turn that is to end gets no more time than its lease has. One that another"
                    + " host has, or nobody, is `idle`, with an epoch that is not the host's.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = HostBeatAnswer.class)))
    public Uni<Response> heartbeat(
            @Context SecurityContext security, @RestPath UUID hostId, @Valid @NotNull Beats body) {
        Caller caller = Caller.of(security);
        UUID[] ids = body.all().stream().map(TurnBeat::turnId).toArray(UUID[]::new);
        Long[] epochs = body.all().stream().map(TurnBeat::epoch).toArray(Long[]::new);
        return idempotency.once(
                body,
                (db, kept) -> turns.requireStillAllowed(db, caller, hostId, answered(kept)),
                db -> turns.beat(db, caller, hostId, ids, epochs)
                        .map(beat -> StoredResponse.ok(new HostBeatAnswer(beat.host(), beat.turns()))));
    }

    /** The turns that this answer tells of. */
    private static UUID[] answered(StoredResponse kept) {
        return new JsonObject(((Idempotency.Kept) kept.body()).json())
                .getJsonArray("turns").stream()
                        .map(JsonObject.class::cast)
                        .filter(turn -> turn.getValue("epoch") != null)
                        .map(turn -> UUID.fromString(turn.getString("turn_id")))
                        .toArray(UUID[]::new);
    }

    @POST
    @Path("/agent-hosts/{hostId}/turns/{turnId}/events")
    @Operation(
            operationId = "reportTurnEvents",
            summary = "Tell what a turn's agent says, thinks, calls, observes, does; renews the lease",
            description =
                    "In order, all or none. None is taken once `desired_status` is not `running`. 409 `FENCED` if the"
                            + " host has lost the turn. With `seq` the last request may be repeated, also after the"
                            + " result.")
    @APIResponse(
            responseCode = "200",
            content = @Content(schema = @Schema(implementation = HostTurns.TurnReportAnswer.class)))
    public Uni<Response> tell(
            @Context SecurityContext security,
            @RestPath UUID hostId,
            @RestPath UUID turnId,
            @Valid @NotNull Told body) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, _) -> turns.requireStillAllowed(db, caller, hostId, turnId),
                db -> turns.report(db, caller, hostId, turnId, body.epoch(), body.seq(), body.events())
                        .map(StoredResponse::ok));
    }

    @POST
    @Path("/agent-hosts/{hostId}/turns/{turnId}/result")
    @Operation(
            operationId = "reportTurnResult",
            summary = "End a turn, or let go of it",
            description = "`question`: it is work again with the answer. `paused`: it is work again for any host, once"
                    + " its session is not paused. The same result again (all that it says was said then) is the same"
                    + " success whenever it comes. Another one is 409: `CONFLICT`, or `FENCED` if the host has lost the"
                    + " turn.")
    @APIResponse(
            responseCode = "200",
            content = @Content(schema = @Schema(implementation = HostTurns.TurnReportAnswer.class)))
    public Uni<Response> result(
            @Context SecurityContext security,
            @RestPath UUID hostId,
            @RestPath UUID turnId,
            @Valid @NotNull HostResult body) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, _) -> turns.requireStillAllowed(db, caller, hostId, turnId),
                db -> endings.end(db, caller, hostId, turnId, body).map(StoredResponse::ok));
    }
}
