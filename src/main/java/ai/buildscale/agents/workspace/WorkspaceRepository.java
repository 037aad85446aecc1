package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.persistence.LockModeType;
import java.util.List;
import java.util.UUID;

/** Reads and edits workspaces as entities; creates them by a statement, which carries the {@code Idempotency-Key}. */
@ApplicationScoped
class WorkspaceRepository implements PanacheRepositoryBase<Workspace, UUID> {
    private static final int MOST_LISTED = 1_000;

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

    /** A workspace with its use, as the member {@code ?1} sees it. */
    private static final String VIEW = """
            select new ai.buildscale.agents.workspace.WorkspaceView(w.id, w.name, w.createdBy, m.role,
                w.maxLiveSessions, u.liveSessions, w.version, w.createdAt, w.updatedAt)
            from Workspace w
            join WorkspaceUsage u on u.workspaceId = w.id
            left join WorkspaceMember m on m.workspaceId = w.id and m.userId = ?1
            """;

    Uni<WorkspaceView> create(Db db, UUID id, String name, UUID owner, int maxLiveSessions) {
        return db.row(CREATE, id, name, owner, maxLiveSessions).map(WorkspaceRepository::view);
    }

    /** Emits the workspace as this user sees it, or null. */
    Uni<WorkspaceView> view(UUID id, UUID user) {
        return getSession()
                .chain(session -> session.createSelectionQuery(VIEW + "where w.id = ?2", WorkspaceView.class)
                        .setParameter(1, user)
                        .setParameter(2, id)
                        .getSingleResultOrNull());
    }

    /** The workspaces that the user is a member of, newest first. */
    Uni<List<WorkspaceView>> ofMember(UUID user) {
        return getSession()
                .chain(session -> session.createSelectionQuery(
                                VIEW + "where m.userId = ?1 order by w.id desc", WorkspaceView.class)
                        .setParameter(1, user)
                        .setMaxResults(MOST_LISTED)
                        .getResultList());
    }

    /** Emits the workspace, or null; edits of one workspace wait for each other here. */
    Uni<Workspace> lock(UUID id) {
        return findById(id, LockModeType.PESSIMISTIC_WRITE);
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
