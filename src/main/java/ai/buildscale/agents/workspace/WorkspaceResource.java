package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.http.Idempotency;
import ai.buildscale.agents.platform.http.StoredResponse;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import io.quarkus.runtime.annotations.RegisterForReflection;
import io.smallrye.mutiny.Uni;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;

/** Workspaces and their members over HTTP. */
@Path("/api/v1")
@Consumes(MediaType.APPLICATION_JSON)
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Workspaces")
public class WorkspaceResource {
    private final WorkspaceService service;
    private final Idempotency idempotency;

    WorkspaceResource(WorkspaceService service, Idempotency idempotency) {
        this.service = service;
        this.idempotency = idempotency;
    }

    /** @param name what people call it */
    public record NewWorkspace(
            @NotNull @NotBlank @Size(max = 100) @Schema(examples = "Research")
            String name) {}

    public record WorkspaceChange(
            @Size(min = 1, max = 100)
            @Pattern(regexp = "[\\s\\S]*\\S[\\s\\S]*", message = "must not be blank")
            @Schema(examples = "Research")
            String name,

            @Min(0) @Max(10_000_000) @Schema(examples = "500")
            Integer maxLiveSessions) {}

    public record NewMember(@NotNull UUID userId, @NotNull Role role) {}

    public record RoleChange(@NotNull Role role) {}

    @RegisterForReflection
    @Schema(name = "WorkspaceAnswer")
    public record OneWorkspace(WorkspaceView workspace) {}

    @Schema(name = "WorkspaceList")
    public record Workspaces(List<WorkspaceView> workspaces, int count) {}

    @RegisterForReflection
    @Schema(name = "MemberAnswer")
    public record OneMember(MemberView member) {}

    @Schema(name = "MemberList")
    public record Members(List<MemberView> members, int count) {}

    @Schema(name = "Confirmation")
    public record Message(String message) {}

    @POST
    @Path("/workspaces")
    @Operation(
            operationId = "createWorkspace",
            summary = "Create a workspace; the caller becomes its owner",
            description = "It has no other members, and the usual quotas.")
    @APIResponse(
            responseCode = "201",
            description = "created",
            content = @Content(schema = @Schema(implementation = OneWorkspace.class)))
    public Uni<Response> create(@Context SecurityContext security, @Valid @NotNull NewWorkspace body) {
        Caller caller = Caller.of(security);
        return idempotency.once(
                body,
                (db, kept) -> Access.require(db, caller, created(kept), Role.VIEWER),
                db -> service.create(db, caller, body.name())
                        .map(created -> StoredResponse.created(
                                "/api/v1/workspaces/" + created.id(), new OneWorkspace(created))));
    }

    private static UUID created(StoredResponse kept) {
        String location = kept.headers().get("Location");
        return UUID.fromString(location.substring(location.lastIndexOf('/') + 1));
    }

    @GET
    @Path("/workspaces")
    @Operation(
            operationId = "listWorkspaces",
            summary = "The caller's workspaces, newest first",
            description = "Those that the caller is a member of, with the role there.")
    public Uni<Workspaces> list(@Context SecurityContext security) {
        return service.list(Caller.of(security)).map(found -> new Workspaces(found, found.size()));
    }

    @GET
    @Path("/workspaces/{workspaceId}")
    @Operation(
            operationId = "getWorkspace",
            summary = "One workspace, with its quotas and their use",
            description = "For members. `live_sessions` counts what `max_live_sessions` limits.")
    public Uni<OneWorkspace> get(@Context SecurityContext security, @RestPath UUID workspaceId) {
        return service.get(Caller.of(security), workspaceId).map(OneWorkspace::new);
    }

    @PATCH
    @Path("/workspaces/{workspaceId}")
    @Operation(
            operationId = "updateWorkspace",
            summary = "Rename a workspace (admins) or change its quotas (owners)",
            description = "A field that is not named stays as it is.")
    public Uni<OneWorkspace> update(
            @Context SecurityContext security, @RestPath UUID workspaceId, @Valid @NotNull WorkspaceChange body) {
        if (body.name() == null && body.maxLiveSessions() == null) {
            throw Problem.invalid("body", "must name at least one field to change");
        }
        return service.update(Caller.of(security), workspaceId, body.name(), body.maxLiveSessions())
                .map(OneWorkspace::new);
    }

    @DELETE
    @Path("/workspaces/{workspaceId}")
    @Operation(
            operationId = "deleteWorkspace",
            summary = "Delete a workspace with its members and sessions",
            description = "For owners. Nothing of it can be read any more.")
    public Uni<Message> delete(@Context SecurityContext security, @RestPath UUID workspaceId) {
        return service.delete(Caller.of(security), workspaceId).map(_ -> new Message("Workspace deleted"));
    }

    @GET
    @Path("/workspaces/{workspaceId}/members")
    @Operation(
            operationId = "listMembers",
            summary = "The workspace's members",
            description = "For members of any role.")
    public Uni<Members> members(@Context SecurityContext security, @RestPath UUID workspaceId) {
        return service.members(Caller.of(security), workspaceId).map(found -> new Members(found, found.size()));
    }

    @POST
    @Path("/workspaces/{workspaceId}/members")
    @Operation(
            operationId = "addMember",
            summary = "Add a member; repeating it with the same role is a success",
            description =
                    "For owners and admins; only owners make owners. 409 if the user is a member with another role.")
    @APIResponse(
            responseCode = "201",
            description = "added",
            content = @Content(schema = @Schema(implementation = OneMember.class)))
    @APIResponse(
            responseCode = "200",
            description = "the user was a member with this role already",
            content = @Content(schema = @Schema(implementation = OneMember.class)))
    public Uni<Response> addMember(
            @Context SecurityContext security, @RestPath UUID workspaceId, @Valid @NotNull NewMember body) {
        Caller caller = Caller.of(security);
        String path = "/api/v1/workspaces/" + workspaceId + "/members";
        return idempotency.once(
                body,
                (db, _) -> Access.require(db, caller, workspaceId, Role.VIEWER),
                db -> service.addMember(db, caller, workspaceId, body.userId(), body.role())
                        .map(added -> added.isNew()
                                ? StoredResponse.created(path + "/" + body.userId(), new OneMember(added.member()))
                                : StoredResponse.ok(new OneMember(added.member()))));
    }

    @GET
    @Path("/workspaces/{workspaceId}/members/me")
    @Operation(
            operationId = "getOwnMembership",
            summary = "The caller's own membership",
            description = "For members of any role.")
    public Uni<OneMember> me(@Context SecurityContext security, @RestPath UUID workspaceId) {
        return service.me(Caller.of(security), workspaceId).map(OneMember::new);
    }

    @PATCH
    @Path("/workspaces/{workspaceId}/members/{userId}")
    @Operation(
            operationId = "updateMember",
            summary = "Change a member's role; the last owner stays one",
            description = "For owners and admins; only owners make owners, or change theirs.")
    public Uni<OneMember> changeRole(
            @Context SecurityContext security,
            @RestPath UUID workspaceId,
            @RestPath UUID userId,
            @Valid @NotNull RoleChange body) {
        return service.changeRole(Caller.of(security), workspaceId, userId, body.role())
                .map(OneMember::new);
    }

    @DELETE
    @Path("/workspaces/{workspaceId}/members/{userId}")
    @Operation(
            operationId = "removeMember",
            summary = "Remove a member, or leave; the last owner stays",
            description = "For owners and admins; everybody may leave. The member's sessions stay.")
    public Uni<Message> removeMember(
            @Context SecurityContext security, @RestPath UUID workspaceId, @RestPath UUID userId) {
        return service.removeMember(Caller.of(security), workspaceId, userId).map(_ -> new Message("Member removed"));
    }
}
