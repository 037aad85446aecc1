package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.workspace.WorkspaceRepository.FoundMember;
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
    private final Database database;
    private final WorkspaceRepository workspaces;
    private final Access access;
    private final WorkspaceConfig config;

    WorkspaceService(Database database, WorkspaceRepository workspaces, Access access, WorkspaceConfig config) {
        this.database = database;
        this.workspaces = workspaces;
        this.access = access;
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
        return workspaces.ofMember(database, caller);
    }

    public Uni<WorkspaceView> get(Caller caller, UUID id) {
        return workspaces.find(database, caller, id).invoke(found -> {
            Access.judge(caller, found != null, found == null ? null : found.role(), Role.VIEWER);
        });
    }

    /** Renames (admins) or sets quotas (owners); null leaves a value as it is. */
    public Uni<WorkspaceView> update(Caller caller, UUID id, String name, Integer maxLiveSessions) {
        Role needed = maxLiveSessions == null ? Role.ADMIN : Role.OWNER;
        String newName = name == null ? null : stripped(name);
        return locked(caller, needed, id, (db, _) -> workspaces.update(db, id, newName, maxLiveSessions))
                .chain(() -> get(caller, id));
    }

    /** Deletes the workspace with its members and sessions; their streams end. */
    public Uni<Void> delete(Caller caller, UUID id) {
        return locked(caller, Role.OWNER, id, (db, _) -> workspaces.delete(db, id));
    }

    public Uni<List<MemberView>> members(Caller caller, UUID id) {
        return access.require(caller, id, Role.VIEWER).chain(() -> workspaces.members(database, id));
    }

    /** The caller's own membership. */
    public Uni<MemberView> me(Caller caller, UUID id) {
        return access.require(caller, id, Role.VIEWER)
                .chain(() -> workspaces.member(database, id, caller.userId()))
                .map(FoundMember::member);
    }

    /**
     * Adds a member. Repeating it with the same role is a success.
     *
     * @throws Problem {@code CONFLICT} if the user is a member with another role; {@code FORBIDDEN} unless the caller
     *     manages members, and for a new owner unless the caller is one
     */
    public Uni<WorkspaceRepository.Added> addMember(Db db, Caller caller, UUID id, UUID userId, Role role) {
        return Access.require(db, caller, id, role == Role.OWNER ? Role.OWNER : Role.ADMIN)
                .chain(() -> workspaces.addMember(db, id, userId, role))
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
        return locked(
                caller,
                Role.ADMIN,
                id,
                (db, actual) -> workspaces
                        .member(db, id, userId)
                        .invoke(found -> {
                            if (role == Role.OWNER) {
                                requireOwnerRole(actual);
                            } else {
                                requireNotLastOwner(found, actual);
                            }
                        })
                        .chain(() -> workspaces.changeRole(db, id, userId, role)));
    }

    /**
     * Removes a member, or lets one leave.
     *
     * @throws Problem {@code CONFLICT} for the last owner
     */
    public Uni<Void> removeMember(Caller caller, UUID id, UUID userId) {
        boolean leaves = caller.userId().equals(userId);
        return locked(
                caller,
                leaves ? Role.VIEWER : Role.ADMIN,
                id,
                (db, actual) -> workspaces
                        .member(db, id, userId)
                        .invoke(found -> requireNotLastOwner(found, actual))
                        .chain(() -> workspaces.removeMember(db, id, userId)));
    }

    private static void requireOwnerRole(Role actual) {
        if (actual != Role.OWNER) {
            throw Problem.forbidden("Only an owner may appoint, change or remove an owner");
        }
    }

    /** What an owner may do to one who will not be an owner any more. */
    private static void requireNotLastOwner(FoundMember found, Role actual) {
        if (WireEnum.is(Role.OWNER, found.member().role())) {
            requireOwnerRole(actual);
            if (!found.isReplaceable()) {
                throw new Problem(ProblemType.CONFLICT, "A workspace keeps at least one owner");
            }
        }
    }

    /**
     * Edits the workspace or its members, one edit at a time. The caller's role is asked for twice: before, so that
     * nobody else gets hold of the lock, and under it, because an edit before this one may have changed it.
     */
    private <T> Uni<T> locked(Caller caller, Role needed, UUID id, BiFunction<Db, Role, Uni<T>> edit) {
        return access.require(caller, id, needed)
                .chain(() -> database.inTransaction(db -> workspaces
                        .lock(db, id)
                        .chain(() -> Access.require(db, caller, id, needed))
                        .chain(actual -> edit.apply(db, actual))));
    }
}
