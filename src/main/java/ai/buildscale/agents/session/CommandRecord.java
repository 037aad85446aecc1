package ai.buildscale.agents.session;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.Immutable;

/** A command to the owner of a hosted session, as it is listed; giving it and carrying it out are statements. */
@Entity
@Immutable
@Table(name = "session_commands")
class CommandRecord {
    @Id
    UUID id;

    @Column(nullable = false)
    UUID sessionId;

    @Column(nullable = false, columnDefinition = "text")
    String command;

    @Column(nullable = false)
    UUID serverId;

    @Column(nullable = false)
    long epoch;

    UUID targetId;

    @Column(nullable = false)
    Instant acceptedAt;

    Instant deliveredAt;
    Instant appliedAt;

    @Column(nullable = false)
    boolean fenced;

    @Column(columnDefinition = "text")
    String rejectedWhy;

    CommandView view() {
        CommandState state = CommandState.of(deliveredAt != null, appliedAt != null, rejectedWhy != null);
        return new CommandView(
                id,
                sessionId,
                command,
                state,
                acceptedAt,
                deliveredAt,
                appliedAt,
                serverId,
                epoch,
                targetId,
                fenced,
                rejectedWhy);
    }
}
