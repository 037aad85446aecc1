package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.session.SessionTasks;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The one way to put work into an agent: messages, answers, tasks, and the wish to stop. Each is written down under the
 * lock of the agent's session, in one statement with its event; once that is committed, the server that owns the session
 * is notified, and finds it there. Who may do so the caller of this class judges, by the {@link Admission}.
 */
@ApplicationScoped
public class Inbox implements SessionTasks {
    private final InboxRepository inboxes;
    private final Notifier notifier;
    private final TurnConfig config;
    private final List<Runnable> stopListeners = new CopyOnWriteArrayList<>();

    Inbox(InboxRepository inboxes, Notifier notifier, TurnConfig config) {
        this.inboxes = inboxes;
        this.notifier = notifier;
        this.config = config;
    }

    /**
     * The agent of a chat, as a caller names it.
     *
     * @param roles the roles in the workspace of which the caller must have one; null for a caller with all rights
     */
    public record ChatAgent(UUID workspace, UUID chat, UUID caller, List<String> roles) {
        /** The roles as a statement takes them. */
        public String[] roleArray() {
            return roles == null ? null : roles.toArray(String[]::new);
        }
    }

    /**
     * What a statement found of the caller and the chat.
     *
     * @param role the caller's in the workspace, or null
     * @param found whether the chat exists
     */
    public record Admission(String role, boolean found) {}

    /**
     * The result of posting a message.
     *
     * @param live whether the chat has a live session that the caller may talk to
     * @param status the session's state
     * @param full whether as many messages wait as may
     * @param server the session's owner, or null
     */
    public record PostResult(
            Admission admission, boolean live, String status, boolean accepted, boolean full, UUID server) {}

    /**
     * The result of stopping an agent.
     *
     * @param command what the session's owner was told, or null
     * @param dropped whether a message was dropped instead of a turn stopped
     */
    public record StopResult(Admission admission, UUID session, UUID server, UUID command, boolean dropped) {}

    /** The result of answering; no question if none is open. */
    public record AnswerResult(Admission admission, UUID question, UUID server) {}

    /** Calls back, on any thread, once people have stopped the agent of a session that no server owns. */
    public void onStop(Runnable listener) {
        stopListeners.add(listener);
    }

    /**
     * Puts a message into the agent's inbox. Emits null if there is no such workspace.
     *
     * @param message the id that the message gets
     * @param policy what to do if the agent is busy; null for the chat's own policy
     * @throws Problem {@code MAILBOX_FULL}; {@code CONFLICT} if the agent is busy and the policy is to refuse
     */
    public Uni<PostResult> post(Db db, ChatAgent to, UUID message, String content, BusyPolicy policy) {
        return inboxes.post(db, to, message, content, policy, config.mailbox()).invoke(posted -> {
            if (posted != null && posted.live()) {
                requireAccepted(posted);
                db.afterCommit(() -> wake(posted.server()));
            }
        });
    }

    private void requireAccepted(PostResult posted) {
        if (!posted.accepted() && posted.full()) {
            throw full();
        }
        if (!posted.accepted()) {
            throw new Problem(ProblemType.CONFLICT, "The agent is busy; send it again, or with another on_busy")
                    .with("current_status", posted.status())
                    .retryAfter(1);
        }
    }

    private Problem full() {
        return new Problem(
                        ProblemType.MAILBOX_FULL,
                        config.mailbox() + " messages wait for the agent; send it again when it has worked some off")
                .retryAfter(5);
    }

    /** The task of a start or a resume is a message to the chat's agent, which begins a turn. */
    @Override
    public Uni<Void> give(Db db, StartTask task) {
        return inboxes.task(db, Ids.next(), task, config.mailbox())
                .invoke(full -> {
                    if (full) {
                        throw full();
                    }
                })
                .replaceWithVoid();
    }

    /**
     * Stops what the agent is at, its turn or the one that its next message would begin. Emits null if there is no such
     * workspace.
     */
    public Uni<StopResult> stop(Db db, ChatAgent of) {
        return inboxes.stop(db, of).invoke(stopped -> {
            if (stopped != null && stopped.session() != null) {
                db.afterCommit(() -> stopped(stopped.server()));
            }
        });
    }

    private void stopped(UUID server) {
        wake(server);
        if (server == null) {
            stopListeners.forEach(Runnable::run);
        }
    }

    /**
     * Answers a question of the agent, once. Emits null if there is no such workspace.
     *
     * @param question null for the one that is open
     * @param answer JSON
     */
    public Uni<AnswerResult> answer(Db db, ChatAgent to, UUID question, String answer) {
        return inboxes.answer(db, to, question, answer, Ids.next()).invoke(answered -> {
            if (answered != null && answered.question() != null) {
                db.afterCommit(() -> wake(answered.server()));
            }
        });
    }

    private void wake(UUID server) {
        if (server == null) {
            notifier.appended();
        } else {
            notifier.concerns(Set.of(server));
        }
    }
}
