package ai.buildscale.agents.workspace;

import io.quarkus.hibernate.reactive.panache.PanacheEntityBase;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.Version;
import java.time.Instant;
import java.util.UUID;

/** A workspace as its owners edit it: its name and its quotas. */
@Entity
@Table(name = "workspaces")
class Workspace extends PanacheEntityBase {
    @Id
    UUID id;

    String name;

    @Column(name = "max_live_sessions")
    int maxLiveSessions;

    @Version
    int version;

    @Column(name = "updated_at")
    Instant updatedAt;
}
