package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** How far a command to the owner of a session is. */
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
