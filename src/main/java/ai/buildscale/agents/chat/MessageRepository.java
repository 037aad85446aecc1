package ai.buildscale.agents.chat;

import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import io.quarkus.panache.common.Sort;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;

/** Reads the histories of chats as entities. */
@ApplicationScoped
class MessageRepository implements PanacheRepositoryBase<ChatMessage, UUID> {
    /**
     * A page of the chat's history, newest first; messages that wait to be taken are the newest.
     *
     * @param before the position that the page ends before; null for the newest page
     */
    Uni<List<ChatMessage>> history(UUID chat, Long before, int limit) {
        Sort newestFirst = Sort.by("position").descending();
        return (before == null
                        ? find("chatId", newestFirst, chat)
                        : find("chatId = ?1 and position < ?2", newestFirst, chat, before))
                .range(0, limit - 1)
                .list();
    }
}
