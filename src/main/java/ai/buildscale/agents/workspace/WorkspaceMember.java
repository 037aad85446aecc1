package ai.buildscale.agents.workspace;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.ColumnTransformer;
import org.hibernate.annotations.DynamicUpdate;

/** A user's membership of a workspace. */
@Entity
@Table(name = "workspace_members")
@IdClass(WorkspaceMember.Key.class)
@DynamicUpdate
class WorkspaceMember {
    /** The key of a membership. */
    record Key(UUID workspaceId, UUID userId) {}

    @Id
    UUID workspaceId;

    @Id
    UUID userId;

    /** The name of a {@link Role}, or of one that only a newer server knows. */
    @Column(nullable = false, columnDefinition = "text")
    String role;

    @Column(nullable = false, updatable = false)
    Instant createdAt;

    /** Null asks the database for its time. */
    @ColumnTransformer(write = "coalesce(?, now())")
    Instant updatedAt;

    void changeRole(Role newRole) {
        role = newRole.toString();
        updatedAt = null;
    }

    MemberView view() {
        return new MemberView(workspaceId, userId, role, createdAt, updatedAt);
    }
}
