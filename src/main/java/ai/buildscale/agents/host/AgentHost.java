package ai.buildscale.agents.host;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.hibernate.annotations.Formula;
import org.hibernate.annotations.Immutable;

/** A process elsewhere that runs agents, as it is read; its beats, turns and departure are statements. */
@Entity
@Immutable
@Table(name = "agent_hosts")
class AgentHost {
    @Id
    UUID id;

    @Column(nullable = false)
    UUID userId;

    @Column(nullable = false, columnDefinition = "text")
    String name;

    /** The types of the agents that it serves; null for all. */
    @Column(columnDefinition = "_text")
    String[] agentTypes;

    /** The models that it serves; null for all. */
    @Column(columnDefinition = "_text")
    String[] models;

    @Column(nullable = false)
    int capacity;

    /** The turns that it has: see {@link HostSql#HAS}. */
    @Formula("""
            (select count(*) from turns t
             where t.host_id = id and t.ended_at is null and t.state = 'running' and t.lease_until > now())""")
    long turns;

    @Column(nullable = false)
    Instant registeredAt;

    @Column(nullable = false)
    Instant seenAt;

    HostView view() {
        return new HostView(
                id,
                userId,
                name,
                list(agentTypes),
                list(models),
                capacity,
                Math.toIntExact(turns),
                registeredAt,
                seenAt);
    }

    private static List<String> list(String[] values) {
        return values == null ? null : Arrays.asList(values);
    }
}
