package ai.buildscale.agents.session;

import java.time.Duration;
import java.util.List;
import java.util.UUID;

/**
 * A command of a caller with its parameters.
 *
 * @param reason the reason for the command, or null
 * @param task the session's next task, or null
 * @param message the error's message, or null
 * @param result JSON, or null
 * @param expectedVersions the versions of which the session must have one; null for any
 * @param pauseId the pause that is meant, or null
 * @param pauseFor after which the session goes on by itself, or null
 */
record Transition(
        SessionCommand command,
        String reason,
        String task,
        String message,
        String result,
        List<Long> expectedVersions,
        UUID pauseId,
        Duration pauseFor) {

    static Transition start(String task, List<Long> expectedVersions) {
        return new Transition(SessionCommand.START, null, task, null, null, expectedVersions, null, null);
    }

    static Transition yieldTurn(List<Long> expectedVersions) {
        return new Transition(SessionCommand.YIELD, null, null, null, null, expectedVersions, null, null);
    }

    static Transition pause(String reason, Duration pauseFor, List<Long> expectedVersions) {
        return new Transition(SessionCommand.PAUSE, reason, null, null, null, expectedVersions, null, pauseFor);
    }

    static Transition resume(String task, UUID pauseId, List<Long> expectedVersions) {
        return new Transition(SessionCommand.RESUME, null, task, null, null, expectedVersions, pauseId, null);
    }

    static Transition complete(String result, List<Long> expectedVersions) {
        return new Transition(SessionCommand.COMPLETE, null, null, null, result, expectedVersions, null, null);
    }

    static Transition fail(String message, List<Long> expectedVersions) {
        return new Transition(SessionCommand.FAIL, null, null, message, null, expectedVersions, null, null);
    }

    static Transition cancel(String reason, List<Long> expectedVersions) {
        return new Transition(SessionCommand.CANCEL, reason, null, null, null, expectedVersions, null, null);
    }

    SessionTasks.StartTask taskOf(UUID session, UUID caller, UUID user) {
        return new SessionTasks.StartTask(session, caller, user, task, command.sources(), expectedVersions, pauseId);
    }
}
