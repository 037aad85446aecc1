package ai.buildscale.agents.session;

/**
 * The outcome of a command to a session.
 *
 * @param command what the owner of a hosted session was told; null where there was nothing to tell
 */
public record CommandOutcome(SessionView session, CommandView command) {}
