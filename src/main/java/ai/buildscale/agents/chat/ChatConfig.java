package ai.buildscale.agents.chat;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/** Settings of chats. */
@ConfigMapping(prefix = "chat")
interface ChatConfig {
    /** The model of a chat that names none. */
    @WithDefault("scripted")
    String defaultModel();
}
