package ai.buildscale.agents.chat;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.Immutable;

/** A chat as it is read; changing it changes the session that lives in it too, which is a statement. */
@Entity
@Immutable
@Table(name = "chats")
class Chat {
    @Id
    UUID id;

    @Column(nullable = false)
    UUID workspaceId;

    @Column(nullable = false)
    UUID userId;

    String name;
    String goal;

    @Column(nullable = false)
    String agentType;

    @Column(nullable = false)
    String model;

    @Column(nullable = false)
    String mode;

    @Column(nullable = false)
    String hosting;

    @Column(nullable = false)
    String onBusy;

    /** Chats are listed by it: those that were talked in last come first. */
    @Column(nullable = false)
    UUID lastMessageId;

    @Column(nullable = false)
    Instant createdAt;

    @Column(nullable = false)
    Instant updatedAt;

    ChatView view() {
        return new ChatView(
                id, workspaceId, userId, name, goal, agentType, model, mode, hosting, onBusy, createdAt, updatedAt);
    }
}
