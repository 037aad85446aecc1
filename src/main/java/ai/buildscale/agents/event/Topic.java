package ai.buildscale.agents.event;

import java.util.UUID;

/**
 * What a stream follows.
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
