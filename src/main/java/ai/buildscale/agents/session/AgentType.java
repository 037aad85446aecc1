package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The type of a session's agent, with the mode that it works in by default. */
@Schema(enumeration = {"assistant", "planner", "builder"})
public enum AgentType {
    ASSISTANT(Mode.CHAT),
    PLANNER(Mode.PLAN),
    BUILDER(Mode.BUILD);

    private final Mode defaultMode;

    AgentType(Mode defaultMode) {
        this.defaultMode = defaultMode;
    }

    public Mode defaultMode() {
        return defaultMode;
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
