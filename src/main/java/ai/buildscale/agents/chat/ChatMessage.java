package ai.buildscale.agents.chat;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.Formula;
import org.hibernate.annotations.Immutable;

/** An entry of a chat's history as it is read; whatever writes one appends an event, which is a statement. */
@Entity
@Immutable
@Table(name = "messages")
class ChatMessage {
    @Id
    UUID id;

    @Column(nullable = false)
    UUID chatId;

    UUID turnId;

    @Column(nullable = false, columnDefinition = "text")
    String kind;

    @Column(nullable = false, columnDefinition = "text")
    String content;

    /** The text of the column {@code data}, which leaves over the wire as it is. */
    @Formula("data #>> '{}'")
    String data;

    UUID userId;

    @Column(columnDefinition = "text")
    String state;

    @Column(nullable = false)
    long position;

    @Column(nullable = false)
    Instant at;

    MessageView view() {
        return new MessageView(id, kind, content, data, userId, turnId, state, position, at);
    }
}
