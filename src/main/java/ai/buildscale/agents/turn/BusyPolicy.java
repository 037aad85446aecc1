package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * The policy for a message that finds its agent busy: the message waits, is refused, or stops the turn and goes first.
 */
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
