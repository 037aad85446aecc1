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

    @Column(columnDefinition = "text")
    String name;

    @Column(columnDefinition = "text")
    String goal;

    @Column(nullable = false, columnDefinition = "text")
    String agentType;

    @Column(nullable = false, columnDefinition = "text")
    String model;

    @Column(nullable = false, columnDefinition = "text")
    String mode;

    @Column(nullable = false, columnDefinition = "text")
    String hosting;

    @Column(nullable = false, columnDefinition = "text")
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
