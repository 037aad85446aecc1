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

    /** The state of a command by what has become of it. */
    static CommandState of(boolean delivered, boolean applied, boolean rejected) {
        if (rejected) {
            return REJECTED;
        }
        if (applied) {
            return APPLIED;
        }
        return delivered ? DELIVERED : ACCEPTED;
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
