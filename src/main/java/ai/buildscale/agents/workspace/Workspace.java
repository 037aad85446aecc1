package ai.buildscale.agents.workspace;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.Version;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.ColumnTransformer;
import org.hibernate.annotations.DynamicUpdate;

/** A workspace as it is read and edited; it is created by a statement, with its first owner. */
@Entity
@Table(name = "workspaces")
@DynamicUpdate
class Workspace {
    @Id
    UUID id;

    @Column(nullable = false, columnDefinition = "text")
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

    /** Null asks the database for its time. */
    @ColumnTransformer(write = "coalesce(?, now())")
    Instant updatedAt;

    /** Changes the name and the quota; null leaves a value as it is. */
    void change(String newName, Integer newMaxLiveSessions) {
        name = newName == null ? name : newName;
        maxLiveSessions = newMaxLiveSessions == null ? maxLiveSessions : newMaxLiveSessions;
        updatedAt = null;
    }
}
