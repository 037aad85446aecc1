package ai.buildscale.agents.session;

/**
 * A command as the owner of its session gets it.
 *
 * @param requires the labels, as JSON, that a server must have to host the session
 * @param ended whether the session has ended
 * @param atWork whether it has a turn that is not over
 */
public record Order(CommandView command, String requires, boolean ended, boolean atWork) {
    /** A command that leads away from here; all others are for the agent. */
    public boolean isMigration() {
        return command.command().equals("migrate");
    }
}
