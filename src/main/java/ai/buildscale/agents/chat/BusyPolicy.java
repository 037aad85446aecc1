package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** What a message does that finds its agent busy: it waits, it is refused, or it stops the turn and goes first. */
@Schema(enumeration = {"enqueue", "reject", "interrupt"})
public enum BusyPolicy {
    ENQUEUE,
    REJECT,
    INTERRUPT;

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
