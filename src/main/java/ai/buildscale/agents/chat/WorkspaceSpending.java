package ai.buildscale.agents.chat;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.util.UUID;
import org.hibernate.annotations.Immutable;

/** The usage of a workspace's agents; the statements that close turns count it. */
@Entity
@Immutable
@Table(name = "workspace_spending")
class WorkspaceSpending {
    @Id
    UUID workspaceId;

    @Column(nullable = false)
    long turns;

    @Column(nullable = false)
    long inputTokens;

    @Column(nullable = false)
    long outputTokens;

    @Column(nullable = false)
    long workedMs;

    UsageView view() {
        return new UsageView(turns, inputTokens, outputTokens, workedMs / 1_000);
    }
}
