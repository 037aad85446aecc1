package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.WireEnum;
import java.util.UUID;

/**
 * A command as the owner of its session gets it.
 *
 * @param requires the labels, as JSON, that a server must have to host the session
 * @param ended whether the session has ended
 * @param turn the one that it is about: the session's open one, unless another was meant; null if there is none
 * @param traceparent the trace of the request that gave it; null if there is none
 */
public record DeliveredCommand(CommandView command, String requires, boolean ended, UUID turn, String traceparent) {
    /** Null for a command that only a newer server knows. */
    public CommandType type() {
        return CommandType.of(command.command());
    }

    public boolean isMigration() {
        return WireEnum.is(CommandType.MIGRATE, command.command());
    }
}
