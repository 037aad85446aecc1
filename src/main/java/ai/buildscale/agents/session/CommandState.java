package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** The state of a command to the owner of a session. */
@Schema(enumeration = {"accepted", "delivered", "applied", "rejected"})
public enum CommandState {
    ACCEPTED,
    DELIVERED,
    APPLIED,
    REJECTED;

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
