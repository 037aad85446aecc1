package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.Caller;
import ai.buildscale.agents.platform.Database;
import ai.buildscale.agents.platform.Db;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.Problem;
import ai.buildscale.agents.platform.ProblemType;
import io.quarkus.hibernate.reactive.panache.Panache;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.persistence.LockModeType;
import java.time.Clock;
import java.util.List;
import java.util.UUID;
import java.util.function.BiFunction;
import java.util.function.Supplier;

/** Workspaces, their members and quotas. Edits of one workspace queue on its row, so that it never loses its last owner. */
@ApplicationScoped
public class WorkspaceService {
    private final Database database;
    private final WorkspaceRepository workspaces;
    private final Access access;
    private final WorkspaceConfig config;
    private final Clock clock;

    WorkspaceService(
            Database database, WorkspaceRepository workspaces, Access access, WorkspaceConfig config, Clock clock) {
        this.database = database;
        this.workspaces = workspaces;
        this.access = access;
        this.config = config;
        this.clock = clock;
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
            String role =
                    found == null || found.role() == null ? null : found.role().toString();
            Access.judge(caller, found != null, role, Role.VIEWER);
        });
    }

    /** Renames (admins) or sets quotas (owners); null leaves a value as it is. */
    public Uni<WorkspaceView> update(Caller caller, UUID id, String name, Integer maxLiveSessions) {
        return locked(caller, maxLiveSessions == null ? Role.ADMIN : Role.OWNER, id, (workspace, _) -> {
                    workspace.name = name == null ? workspace.name : stripped(name);
                    workspace.maxLiveSessions = maxLiveSessions == null ? workspace.maxLiveSessions : maxLiveSessions;
                    workspace.updatedAt = clock.instant();
                    return Uni.createFrom().voidItem();
                })
                .chain(() -> get(caller, id));
    }

    /** Deletes the workspace with its members and sessions; their streams end. */
    public Uni<Void> delete(Caller caller, UUID id) {
        return locked(caller, Role.OWNER, id, (workspace, _) -> workspace.delete());
    }

    public Uni<List<MemberView>> members(Caller caller, UUID id) {
        return access.require(caller, id, Role.VIEWER)
                .chain(() -> database.guarded(() -> Panache.withSession(
                        () -> Member.<Member>list("workspaceId = ?1 order by createdAt, userId", id))))
                .map(members -> members.stream().map(Member::view).toList());
    }

    /** The caller's own membership. */
    public Uni<MemberView> me(Caller caller, UUID id) {
        return access.require(caller, id, Role.VIEWER)
                .chain(() -> database.guarded(() -> Panache.withSession(() -> find(id, caller.userId()))))
                .map(Member::view);
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
                    if (added.member().role() != role) {
                        throw new Problem(
                                        ProblemType.CONFLICT,
                                        "The user is a member already, as "
                                                + added.member().role().toString())
                                .with("current_role", added.member().role().toString());
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
                        (_, actual) -> find(id, userId).chain(member -> {
                            if (member.role() == Role.OWNER || role == Role.OWNER) {
                                requireOwnerRole(actual);
                            }
                            boolean demotion = member.role() == Role.OWNER && role != Role.OWNER;
                            return (demotion
                                            ? requireAnotherOwner(id, userId)
                                            : Uni.createFrom().voidItem())
                                    .invoke(() -> {
                                        member.role = role.toString();
                                        member.updatedAt = clock.instant();
                                    })
                                    .replaceWith(member);
                        }))
                .map(Member::view);
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
                (_, actual) -> find(id, userId).chain(member -> {
                    if (member.role() != Role.OWNER) {
                        return member.delete();
                    }
                    requireOwnerRole(actual);
                    return requireAnotherOwner(id, userId).chain(member::delete);
                }));
    }

    private static void requireOwnerRole(Role actual) {
        if (actual != Role.OWNER) {
            throw Problem.forbidden("Only an owner may appoint, change or remove an owner");
        }
    }

    private static Uni<Member> find(UUID id, UUID userId) {
        return Member.<Member>findById(new Member.Key(id, userId))
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The membership"));
    }

    private static Uni<Void> requireAnotherOwner(UUID id, UUID userId) {
        return Member.count("workspaceId = ?1 and role = 'owner' and userId <> ?2", id, userId)
                .invoke(others -> {
                    if (others == 0) {
                        throw new Problem(ProblemType.CONFLICT, "A workspace keeps at least one owner");
                    }
                })
                .replaceWithVoid();
    }

    /**
     * Edits the workspace or its members, one edit at a time. The caller's role is asked for twice: before, so that
     * nobody else gets hold of the lock, and under it, because an edit before this one may have changed it.
     */
    private <T> Uni<T> locked(Caller caller, Role needed, UUID id, BiFunction<Workspace, Role, Uni<T>> edit) {
        Supplier<Uni<T>> work =
                () -> Panache.withTransaction(() -> Workspace.<Workspace>findById(id, LockModeType.PESSIMISTIC_WRITE)
                        .onItem()
                        .ifNull()
                        .failWith(() -> Problem.notFound("The workspace"))
                        .chain(workspace -> Member.<Member>findById(new Member.Key(id, caller.userId()))
                                .map(member -> Access.judge(caller, true, member == null ? null : member.role, needed))
                                .chain(actual -> edit.apply(workspace, actual))));
        return access.require(caller, id, needed).chain(() -> database.guarded(work));
    }
}
