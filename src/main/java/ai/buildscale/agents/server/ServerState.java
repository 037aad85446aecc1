package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The operational states of a server. */
@Schema(enumeration = {"active", "cordoned", "draining", "gone"})
public enum ServerState {
    /** It takes sessions. */
    ACTIVE,
    /** It keeps what it has, and takes no more. */
    CORDONED,
    /** It hands over what it has. */
    DRAINING,
    /** It has left, or was lost. */
    GONE;

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
