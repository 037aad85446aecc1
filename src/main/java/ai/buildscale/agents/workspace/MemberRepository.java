package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import io.quarkus.panache.common.Sort;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;

/** Reads and edits memberships as entities; adds them by a statement, which carries the {@code Idempotency-Key}. */
@ApplicationScoped
class MemberRepository implements PanacheRepositoryBase<WorkspaceMember, WorkspaceMember.Key> {
    private static final String ADD = """
            insert into workspace_members (workspace_id, user_id, role) values ($1, $2, $3)
            on conflict (workspace_id, user_id) do update set role = workspace_members.role
            returning workspace_id, user_id, role, created_at, updated_at, xmax = 0 as added""";

    /** @param isNew whether the user was no member before */
    record Added(MemberView member, boolean isNew) {}

    /** Adds a member; one who is there already keeps the role. */
    Uni<Added> add(Db db, UUID workspaceId, UUID userId, Role role) {
        return db.row(ADD, workspaceId, userId, role.toString())
                .map(row -> new Added(member(row), row.getBoolean("added")));
    }

    /** The membership, or null. */
    Uni<WorkspaceMember> find(UUID workspaceId, UUID userId) {
        return findById(new WorkspaceMember.Key(workspaceId, userId));
    }

    /** The workspace's members, in the order in which they were added. */
    Uni<List<WorkspaceMember>> of(UUID workspaceId) {
        return list("workspaceId", Sort.by("createdAt", "userId"), workspaceId);
    }

    /** The membership with the database's time of its change: Hibernate writes before it reads. */
    Uni<MemberView> view(UUID workspaceId, UUID userId) {
        return find("workspaceId = ?1 and userId = ?2", workspaceId, userId)
                .project(MemberView.class)
                .singleResult();
    }

    /** Whether the workspace has an owner beside this user. */
    Uni<Boolean> hasOtherOwner(UUID workspaceId, UUID userId) {
        return count("workspaceId = ?1 and userId <> ?2 and role = ?3", workspaceId, userId, Role.OWNER.toString())
                .map(owners -> owners > 0);
    }

    private static MemberView member(Row row) {
        return new MemberView(
                row.getUUID("workspace_id"),
                row.getUUID("user_id"),
                row.getString("role"),
                Rows.instant(row, "created_at"),
                Rows.instant(row, "updated_at"));
    }
}
