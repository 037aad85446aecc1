package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The mode of an agent's work. */
@Schema(enumeration = {"chat", "plan", "build"})
public enum Mode {
    CHAT,
    PLAN,
    BUILD;

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
