package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.Wire;
import io.quarkus.hibernate.reactive.panache.PanacheEntityBase;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.IdClass;
import jakarta.persistence.Table;
import java.io.Serializable;
import java.time.Instant;
import java.util.UUID;

/** A user's membership of a workspace. */
@Entity
@Table(name = "workspace_members")
@IdClass(Member.Key.class)
class Member extends PanacheEntityBase {
    @Id
    @Column(name = "workspace_id")
    UUID workspaceId;

    @Id
    @Column(name = "user_id")
    UUID userId;

    String role;

    @Column(name = "created_at", updatable = false)
    Instant createdAt;

    @Column(name = "updated_at")
    Instant updatedAt;

    record Key(UUID workspaceId, UUID userId) implements Serializable {}

    Role role() {
        return Wire.read(Role.class, role);
    }

    MemberView view() {
        return new MemberView(workspaceId, userId, role(), createdAt, updatedAt);
    }
}
