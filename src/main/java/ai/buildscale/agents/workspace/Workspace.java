package ai.buildscale.agents.workspace;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.Version;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.DynamicUpdate;
import org.hibernate.annotations.SourceType;
import org.hibernate.annotations.UpdateTimestamp;

/** A workspace as it is read and edited; it is created by a statement, with its first owner. */
@Entity
@Table(name = "workspaces")
@DynamicUpdate
class Workspace {
    @Id
    UUID id;

    @Column(nullable = false)
    String name;

    @Column(nullable = false, updatable = false)
    UUID createdBy;

    /** The quota: sessions that have not ended. */
    @Column(nullable = false)
    int maxLiveSessions;

    @Version
    @Column(nullable = false)
    int version;

    @Column(nullable = false, updatable = false)
    Instant createdAt;

    @UpdateTimestamp(source = SourceType.DB)
    @Column(nullable = false)
    Instant updatedAt;
}
