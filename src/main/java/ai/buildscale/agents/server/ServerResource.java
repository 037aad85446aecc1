package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.session.CommandOutcome;
import ai.buildscale.agents.session.CommandView;
import ai.buildscale.agents.session.SessionCommandResource;
import ai.buildscale.agents.session.SessionCommandResource.Commanded;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.ws.rs.Consumes;
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

/** The fleet over HTTP, for operators. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Servers")
public class ServerResource {
    private static final int USUAL_WAIT = 2;

    private final ServerService service;
    private final Idempotency idempotency;

    ServerResource(ServerService service, Idempotency idempotency) {
        this.service = service;
        this.idempotency = idempotency;
    }

    @Schema(name = "ServerList")
    public record Servers(List<ServerView> servers, int count) {}

    @RegisterForReflection
    @Schema(name = "ServerAnswer")
    public record OneServer(ServerView server) {}

    /** @param dryRun whether the plan is only to be shown */
    @Schema(name = "RebalanceRequest")
    public record Rebalance(Boolean dryRun) {}

    /** @param reason why there is nothing to move */
    @RegisterForReflection
    @Schema(name = "RebalancePlan")
    public record Rebalanced(
            boolean dryRun,
            List<Move> moves,
            @Schema(nullable = true) String reason) {}

    @RegisterForReflection
    @Schema(name = "RebalanceMove")
    public record Move(UUID from, UUID to, int sessions) {}

    /** @param serverId where to; placement decides where none is given */
    @Schema(name = "MigrateRequest")
    public record Migrate(UUID serverId) {}

    @GET
    @Path("/servers")
    @Operation(
            operationId = "listServers",
            summary = "The members of the fleet, those that went not long ago among them",
            description = "Each with its state, its load and the sessions that it owns, counted now.")
    public Uni<Servers> list(@Context SecurityContext security) {
        return service.list(Caller.of(security)).map(all -> new Servers(all, all.size()));
    }

    @GET
    @Path("/servers/{id}")
    @Operation(
            operationId = "getServer",
            summary = "One server",
            description = "Also one that has gone, for as long as it is remembered.")
    public Uni<OneServer> get(@Context SecurityContext security, @RestPath UUID id) {
        return service.get(Caller.of(security), id).map(OneServer::new);
    }

    @POST
    @Path("/servers/{id}/cordon")
    @Operation(
            operationId = "cordonServer",
            summary = "It keeps its sessions and takes no more",
            description = "Repeating it is a success; `uncordon` takes it back.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = OneServer.class)))
    public Uni<Response> cordon(@Context SecurityContext security, @RestPath UUID id) {
        return change(security, id, ServerState.CORDONED);
    }

    @POST
    @Path("/servers/{id}/uncordon")
    @Operation(
            operationId = "uncordonServer",
            summary = "It takes sessions again, also after a drain",
            description = "Repeating it is a success. 409 for a server that has gone.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = OneServer.class)))
    public Uni<Response> uncordon(@Context SecurityContext security, @RestPath UUID id) {
        return change(security, id, ServerState.ACTIVE);
    }

    @POST
    @Path("/servers/{id}/drain")
    @Operation(
            operationId = "drainServer",
            summary = "It hands over all its sessions",
            description = "It is not ready any more, ends its streams, and lives on without sessions until it is"
                    + " uncordoned or stopped.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = OneServer.class)))
    public Uni<Response> drain(@Context SecurityContext security, @RestPath UUID id) {
        return change(security, id, ServerState.DRAINING);
    }

    private Uni<Response> change(SecurityContext security, UUID id, ServerState state) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                null,
                (_, _) -> ServerService.review(caller),
                db -> service.change(db, caller, id, state).map(server -> StoredResponse.ok(new OneServer(server))));
    }

    @POST
    @Path("/servers/rebalance")
    @Operation(
            operationId = "rebalanceServers",
            summary = "Let servers with more than their share give sessions away, now",
            description = "Answers the plan of one cycle; with `dry_run` nothing else.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Rebalanced.class)))
    public Uni<Response> rebalance(
            @Context SecurityContext security, @RequestBody(required = false) @Valid Rebalance body) {
        Caller caller = Caller.of(security);
        boolean dryRun = body != null && Boolean.TRUE.equals(body.dryRun());
        return idempotency.once(
                body,
                (_, _) -> ServerService.review(caller),
                db -> service.rebalance(db, caller, dryRun)
                        .map(plan -> StoredResponse.ok(new Rebalanced(
                                dryRun,
                                plan.moves().stream()
                                        .map(move -> new Move(move.from(), move.to(), move.sessions()))
                                        .toList(),
                                plan.reason()))));
    }

    @POST
    @Path("/agent-sessions/{id}/migrate")
    @Operation(
            operationId = "migrateSession",
            summary = "Give a session that is hosted here to another server",
            description = "The owner brings the agent to a safe point and hands it over; one that does not in time"
                    + " loses it. If the named server has stopped taking sessions by then, the least loaded one gets"
                    + " it.")
    @APIResponse(responseCode = "200", content = @Content(schema = @Schema(implementation = Commanded.class)))
    public Uni<Response> migrate(
            @Context SecurityContext security,
            @RestPath UUID id,
            @QueryParam("wait")
                    @Min(0)
                    @Max(SessionCommandResource.MAX_WAIT)
                    @Parameter(
                            description = "seconds that the answer may be held until the session has moved; 2 where"
                                    + " it is not given")
                    Integer wait,
            @RequestBody(required = false) @Valid Migrate body) {
        Caller caller = Caller.of(security);
        Duration atMost = Duration.ofSeconds(wait == null ? USUAL_WAIT : wait);
        return idempotency.once(
                body,
                (_, _) -> ServerService.review(caller),
                db -> service.migrate(db, caller, id, body == null ? null : body.serverId())
                        .map(ServerResource::answer),
                answer -> settled(caller, (Commanded) answer.body(), atMost));
    }

    private Uni<StoredResponse> settled(Caller caller, Commanded asked, Duration atMost) {
        return service.settled(caller, new CommandOutcome(asked.session(), asked.command()), atMost)
                .map(ServerResource::answer);
    }

    private static StoredResponse answer(CommandOutcome migration) {
        CommandView command = migration.command();
        String message = command == null
                ? "Session is on this server already"
                : command.isOver()
                        ? command.detail() == null ? "Session migrated" : "Session stays: " + command.detail()
                        : "Session is being migrated";
        return StoredResponse.ok(new Commanded(migration.session(), message, command))
                .tagged(migration.session().etag());
    }
}
