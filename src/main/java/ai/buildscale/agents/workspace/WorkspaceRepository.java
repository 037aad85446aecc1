package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.Caller;
import ai.buildscale.agents.platform.Db;
import ai.buildscale.agents.platform.Rows;
import ai.buildscale.agents.platform.Wire;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;

/** What is one statement over several tables: creating a workspace, and reading it with its usage and the caller's role. */
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

    private static final String FIND = READ + "where w.id = $2";

    private static final String LIST = READ + """
            where m.user_id = $1
            order by w.id desc
            limit 1000""";

    private static final String ADD_MEMBER = """
            insert into workspace_members (workspace_id, user_id, role) values ($1, $2, $3)
            on conflict (workspace_id, user_id) do update set role = workspace_members.role
            returning workspace_id, user_id, role, created_at, updated_at, xmax = 0 as added""";

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
                .map(row -> new Added(
                        new MemberView(
                                row.getUUID("workspace_id"),
                                row.getUUID("user_id"),
                                Wire.read(Role.class, row.getString("role")),
                                Rows.instant(row, "created_at"),
                                Rows.instant(row, "updated_at")),
                        row.getBoolean("added")));
    }

    record Added(MemberView member, boolean isNew) {}

    private static WorkspaceView view(Row row) {
        return new WorkspaceView(
                row.getUUID("id"),
                row.getString("name"),
                row.getUUID("created_by"),
                Wire.read(Role.class, row.getString("role")),
                row.getInteger("max_live_sessions"),
                row.getInteger("live_sessions"),
                row.getInteger("version"),
                Rows.instant(row, "created_at"),
                Rows.instant(row, "updated_at"));
    }
}
