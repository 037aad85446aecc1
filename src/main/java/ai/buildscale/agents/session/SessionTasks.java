package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.Db;
import io.smallrye.mutiny.Uni;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/** Delivers the task of a start or resume to the chat's agent. Implemented by {@code turn.Inbox}. */
public interface SessionTasks {
    /**
     * A task, and when it may be given.
     *
     * @param caller null for a caller with all rights
     * @param from the states that the session may be in
     * @param versions those of which one is expected; null for any
     * @param pause likewise
     */
    record StartTask(
            UUID session,
            UUID caller,
            UUID user,
            String text,
            Set<SessionStatus> from,
            List<Long> versions,
            UUID pause) {}

    /**
     * Puts the task before the agent, in this transaction; nothing if the session is no chat's, or is not as it may be.
     *
     * @throws ai.buildscale.agents.platform.problem.Problem {@code MAILBOX_FULL}
     */
    Uni<Void> give(Db db, StartTask task);
}
