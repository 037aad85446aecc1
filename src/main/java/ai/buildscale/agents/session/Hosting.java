package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The hosting of a session: which party keeps it alive. */
@Schema(enumeration = {"server", "external"})
public enum Hosting {
    /** A server of this service, by its lease. */
    SERVER,
    /** An agent process elsewhere, by heartbeats. */
    EXTERNAL;

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
