package ai.buildscale.agents.event;

import java.util.UUID;

/**
 * The topic that a stream follows: a workspace or a chat.
 *
 * @param chatId one chat of the workspace; null for all that happens in it
 */
public record Topic(UUID workspaceId, UUID chatId) {
    public static Topic workspace(UUID workspaceId) {
        return new Topic(workspaceId, null);
    }

    boolean isChat() {
        return chatId != null;
    }
}
