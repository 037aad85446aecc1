package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.session.SessionTasks;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;

/** Turns the task of a start or resume into a message to the chat's agent, which begins a turn. */
@ApplicationScoped
class ChatTasks implements SessionTasks {
    private final ChatRepository chats;
    private final ChatConfig config;

    ChatTasks(ChatRepository chats, ChatConfig config) {
        this.chats = chats;
        this.config = config;
    }

    @Override
    public Uni<Void> give(Db db, Task task) {
        return chats.task(db, Ids.next(), task, config.mailbox())
                .invoke(full -> {
                    if (full) {
                        throw full(config.mailbox());
                    }
                })
                .replaceWithVoid();
    }

    static Problem full(int mailbox) {
        return new Problem(
                        ProblemType.MAILBOX_FULL,
                        mailbox + " messages wait for the agent; send it again when it has worked some off")
                .retryAfter(5);
    }
}
