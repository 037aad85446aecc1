package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.security.Caller;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;

/** The statements on workspaces and their members. */
@ApplicationScoped
class WorkspaceRepository {
    private static final String CREATE = """
            with created as (
                insert into workspaces (id, name, created_by, max_live_sessions) values ($1, $2, $3, $4) returning *),
            owner as (
                insert into workspace_members (workspace_id, user_id, role) select id, created_by, 'owner' from created),
            usage as (
                insert into workspace_usage (workspace_id) select id from created)
            select id, name, created_by, 'owner' as role, max_live_sessions, 0 as live_sessions, version, created_at,
                   updated_at
            from created""";

    private static final String READ = """
            select w.id, w.name, w.created_by, m.role, w.max_live_sessions, u.live_sessions, w.version, w.created_at,
                   w.updated_at
            from workspaces w
            join workspace_usage u on u.workspace_id = w.id
            left join workspace_members m on m.workspace_id = w.id and m.user_id = $1
            """;

    private static final String FIND = SqlText.fill("{read}where w.id = $2", "read", READ);

    private static final String LIST = SqlText.fill("""
            {read}where m.user_id = $1
            order by w.id desc
            limit 1000""", "read", READ);

    private static final String ADD_MEMBER = """
            insert into workspace_members (workspace_id, user_id, role) values ($1, $2, $3)
            on conflict (workspace_id, user_id) do update set role = workspace_members.role
            returning workspace_id, user_id, role, created_at, updated_at, xmax = 0 as added""";

    /** Edits of one workspace wait for each other here. */
    private static final String LOCK = "select 1 from workspaces where id = $1 for update";

    private static final String UPDATE = """
            update workspaces set name = coalesce($2, name), max_live_sessions = coalesce($3, max_live_sessions),
                version = version + 1, updated_at = now()
            where id = $1""";

    private static final String DELETE = "delete from workspaces where id = $1";

    private static final String MEMBERS = """
            select workspace_id, user_id, role, created_at, updated_at from workspace_members
            where workspace_id = $1
            order by created_at, user_id""";

    /** With how many owners the workspace has beside this one. */
    private static final String MEMBER = """
            select workspace_id, user_id, role, created_at, updated_at, (
                select count(*) from workspace_members o
                where o.workspace_id = $1 and o.user_id <> $2 and o.role = 'owner') as other_owners
            from workspace_members where workspace_id = $1 and user_id = $2""";

    private static final String CHANGE_ROLE = """
            update workspace_members set role = $3, updated_at = now()
            where workspace_id = $1 and user_id = $2
            returning workspace_id, user_id, role, created_at, updated_at""";

    private static final String REMOVE_MEMBER =
            "delete from workspace_members where workspace_id = $1 and user_id = $2";

    Uni<WorkspaceView> create(Db db, UUID id, String name, UUID owner, int maxLiveSessions) {
        return db.row(CREATE, id, name, owner, maxLiveSessions).map(WorkspaceRepository::view);
    }

    /** The workspace as this caller sees it, or null. */
    Uni<WorkspaceView> find(Db db, Caller caller, UUID id) {
        return db.row(FIND, caller.userId(), id).map(row -> row == null ? null : view(row));
    }

    Uni<List<WorkspaceView>> ofMember(Db db, Caller caller) {
        return db.rows(LIST, caller.userId()).map(rows -> Rows.map(rows, WorkspaceRepository::view));
    }

    /** Adds a member; one who is there already keeps the role. */
    Uni<Added> addMember(Db db, UUID workspaceId, UUID userId, Role role) {
        return db.row(ADD_MEMBER, workspaceId, userId, role.toString())
                .map(row -> new Added(member(row), row.getBoolean("added")));
    }

    record Added(MemberView member, boolean isNew) {}

    Uni<Void> lock(Db db, UUID id) {
        return db.rows(LOCK, id).replaceWithVoid();
    }

    /** Null leaves a value as it is. */
    Uni<Void> update(Db db, UUID id, String name, Integer maxLiveSessions) {
        return db.rows(UPDATE, id, name, maxLiveSessions).replaceWithVoid();
    }

    Uni<Void> delete(Db db, UUID id) {
        return db.rows(DELETE, id).replaceWithVoid();
    }

    Uni<List<MemberView>> members(Db db, UUID id) {
        return db.rows(MEMBERS, id).map(rows -> Rows.map(rows, WorkspaceRepository::member));
    }

    /**
     * The membership.
     *
     * @throws Problem {@code NOT_FOUND}
     */
    Uni<FoundMember> member(Db db, UUID id, UUID userId) {
        return db.row(MEMBER, id, userId)
                .onItem()
                .ifNull()
                .failWith(() -> Problem.notFound("The membership"))
                .map(row -> new FoundMember(member(row), row.getLong("other_owners") > 0));
    }

    /** @param isReplaceable whether the workspace has another owner */
    record FoundMember(MemberView member, boolean isReplaceable) {}

    Uni<MemberView> changeRole(Db db, UUID id, UUID userId, Role role) {
        return db.row(CHANGE_ROLE, id, userId, role.toString()).map(WorkspaceRepository::member);
    }

    Uni<Void> removeMember(Db db, UUID id, UUID userId) {
        return db.rows(REMOVE_MEMBER, id, userId).replaceWithVoid();
    }

    private static MemberView member(Row row) {
        return new MemberView(
                row.getUUID("workspace_id"),
                row.getUUID("user_id"),
                row.getString("role"),
                Rows.instant(row, "created_at"),
                Rows.instant(row, "updated_at"));
    }

    private static WorkspaceView view(Row row) {
        return new WorkspaceView(
                row.getUUID("id"),
                row.getString("name"),
                row.getUUID("created_by"),
                row.getString("role"),
                row.getInteger("max_live_sessions"),
                row.getInteger("live_sessions"),
                row.getInteger("version"),
                Rows.instant(row, "created_at"),
                Rows.instant(row, "updated_at"));
    }
}
