package ai.buildscale.agents.workspace;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.util.UUID;
import org.hibernate.annotations.Immutable;

/** The use of a workspace's quotas; the statements that create and end sessions count it. */
@Entity
@Immutable
@Table(name = "workspace_usage")
class WorkspaceUsage {
    @Id
    UUID workspaceId;

    @Column(nullable = false)
    int liveSessions;

    @Column(nullable = false)
    long totalSessions;
}
