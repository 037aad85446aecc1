package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Entities;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;
import java.util.function.BiFunction;

/**
 * Creates, changes and removes workspaces, their members and quotas. Edits of one workspace queue on its row, so that
 * it never loses its last owner.
 */
@ApplicationScoped
public class WorkspaceService {
    private final Entities entities;
    private final WorkspaceRepository workspaces;
    private final MemberRepository members;
    private final WorkspaceConfig config;

    WorkspaceService(
            Entities entities, WorkspaceRepository workspaces, MemberRepository members, WorkspaceConfig config) {
        this.entities = entities;
        this.workspaces = workspaces;
        this.members = members;
        this.config = config;
    }

    /** Creates a workspace that the caller owns. */
    public Uni<WorkspaceView> create(Db db, Caller caller, String name) {
        return workspaces.create(db, Ids.next(), stripped(name), caller.userId(), config.maxLiveSessions());
    }

    /** Bean Validation's idea of blank knows no Unicode. */
    private static String stripped(String name) {
        String stripped = name.strip();
        if (stripped.isEmpty()) {
            throw Problem.invalid("name", "must not be blank");
        }
        return stripped;
    }

    /** The workspaces that the caller is a member of, newest first. */
    public Uni<List<WorkspaceView>> list(Caller caller) {
        return entities.read(() -> workspaces.ofMember(caller.userId()));
    }

    /** @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN} unless the caller is a member */
    public Uni<WorkspaceView> get(Caller caller, UUID id) {
        return entities.read(() -> require(caller, id, Role.VIEWER));
    }

    private Uni<WorkspaceView> require(Caller caller, UUID id, Role needed) {
        return workspaces
                .view(id, caller.userId())
                .invoke(found -> Access.judge(caller, found != null, found == null ? null : found.role(), needed));
    }

    /** Renames (admins) or sets quotas (owners); null leaves a value as it is. */
    public Uni<WorkspaceView> update(Caller caller, UUID id, String name, Integer maxLiveSessions) {
        Role needed = maxLiveSessions == null ? Role.ADMIN : Role.OWNER;
        String newName = name == null ? null : stripped(name);
        return edit(caller, needed, id, (workspace, _) -> {
            workspace.change(newName, maxLiveSessions);
            return workspaces.view(id, caller.userId());
        });
    }

    /** Deletes the workspace with its members and sessions; their streams end. */
    public Uni<Void> delete(Caller caller, UUID id) {
        return edit(caller, Role.OWNER, id, (workspace, _) -> workspaces.delete(workspace));
    }

    /** The workspace's members, in the order in which they were added. */
    public Uni<List<MemberView>> members(Caller caller, UUID id) {
        return entities.read(() -> require(caller, id, Role.VIEWER)
                .chain(() -> members.of(id))
                .map(found -> found.stream().map(WorkspaceMember::view).toList()));
    }

    /** The caller's own membership. */
    public Uni<MemberView> me(Caller caller, UUID id) {
        return entities.read(() -> require(caller, id, Role.VIEWER)
                .chain(() -> member(id, caller.userId()))
                .map(WorkspaceMember::view));
    }

    private Uni<WorkspaceMember> member(UUID id, UUID userId) {
        return members.find(id, userId).onItem().ifNull().failWith(() -> Problem.notFound("The membership"));
    }

    /**
     * Adds a member. Repeating it with the same role is a success.
     *
     * @throws Problem {@code CONFLICT} if the user is a member with another role; {@code FORBIDDEN} unless the caller
     *     manages members, and for a new owner unless the caller is one
     */
    public Uni<MemberRepository.Added> addMember(Db db, Caller caller, UUID id, UUID userId, Role role) {
        return Access.require(db, caller, id, role == Role.OWNER ? Role.OWNER : Role.ADMIN)
                .chain(() -> members.add(db, id, userId, role))
                .onFailure(e -> "workspace_members_workspace_id_fkey".equals(Database.violatedConstraint(e)))
                .transform(_ -> Problem.notFound("The workspace"))
                .invoke(added -> {
                    String actual = added.member().role();
                    if (!WireEnum.is(role, actual)) {
                        throw new Problem(ProblemType.CONFLICT, "The user is a member already, as " + actual)
                                .with("current_role", actual);
                    }
                });
    }

    /**
     * Changes a role.
     *
     * @throws Problem {@code CONFLICT} if that would leave the workspace without an owner
     */
    public Uni<MemberView> changeRole(Caller caller, UUID id, UUID userId, Role role) {
        return edit(
                caller,
                Role.ADMIN,
                id,
                (_, actual) -> member(id, userId)
                        .call(member ->
                                role == Role.OWNER ? requireOwnerRole(actual) : requireNotLastOwner(member, actual))
                        .invoke(member -> member.changeRole(role))
                        .chain(() -> members.view(id, userId)));
    }

    /**
     * Removes a member, or lets one leave.
     *
     * @throws Problem {@code CONFLICT} for the last owner
     */
    public Uni<Void> removeMember(Caller caller, UUID id, UUID userId) {
        boolean leaves = caller.userId().equals(userId);
        return edit(
                caller,
                leaves ? Role.VIEWER : Role.ADMIN,
                id,
                (_, actual) -> member(id, userId)
                        .call(member -> requireNotLastOwner(member, actual))
                        .chain(members::delete));
    }

    private static Uni<Void> requireOwnerRole(Role actual) {
        return actual == Role.OWNER
                ? Uni.createFrom().voidItem()
                : Uni.createFrom().failure(Problem.forbidden("Only an owner may appoint, change or remove an owner"));
    }

    /** What an owner may do to one who will not be an owner any more. */
    private Uni<Void> requireNotLastOwner(WorkspaceMember member, Role actual) {
        if (!WireEnum.is(Role.OWNER, member.role)) {
            return Uni.createFrom().voidItem();
        }
        return requireOwnerRole(actual)
                .chain(() -> members.hasOtherOwner(member.workspaceId, member.userId))
                .invoke(replaceable -> {
                    if (!replaceable) {
                        throw new Problem(ProblemType.CONFLICT, "A workspace keeps at least one owner");
                    }
                })
                .replaceWithVoid();
    }

    /**
     * Edits the workspace or its members, one edit at a time. The caller's role is read twice: before, so that nobody
     * else gets hold of the lock, and under it, because an edit before this one may have changed it.
     */
    private <T> Uni<T> edit(Caller caller, Role needed, UUID id, BiFunction<Workspace, Role, Uni<T>> edit) {
        return entities.edit(() -> require(caller, id, needed)
                .chain(() -> workspaces.lock(id))
                .chain(locked -> members.find(id, caller.userId())
                        .map(member ->
                                Access.judge(caller, locked != null, member == null ? null : member.role, needed))
                        .chain(actual -> edit.apply(locked, actual))));
    }
}
