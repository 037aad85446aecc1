package ai.buildscale.agents.workspace;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/** Settings of new workspaces. */
@ConfigMapping(prefix = "workspaces")
interface WorkspaceConfig {
    /** The quota of live sessions; the owner may change it. */
    @WithDefault("100000")
    int maxLiveSessions();
}
