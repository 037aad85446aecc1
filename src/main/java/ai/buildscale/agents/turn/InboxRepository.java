package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.session.SessionStatus;
import ai.buildscale.agents.session.SessionTasks;
import ai.buildscale.agents.turn.Inbox.Admission;
import ai.buildscale.agents.turn.Inbox.AnswerResult;
import ai.buildscale.agents.turn.Inbox.ChatAgent;
import ai.buildscale.agents.turn.Inbox.PostResult;
import ai.buildscale.agents.turn.Inbox.StopResult;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.UUID;

/** Runs {@link InboxSql} and reads its rows; each emits null if there is no such workspace. */
@ApplicationScoped
class InboxRepository {
    Uni<PostResult> post(Db db, ChatAgent to, UUID message, String content, BusyPolicy policy, int mailbox) {
        return db.row(
                        InboxSql.POST,
                        to.workspace(),
                        to.chat(),
                        to.caller(),
                        to.roleArray(),
                        message,
                        content,
                        policy == null ? null : policy.toString(),
                        Traces.current(),
                        mailbox)
                .map(row -> row == null
                        ? null
                        : new PostResult(
                                admission(row),
                                row.getBoolean("live"),
                                row.getString("status"),
                                row.getBoolean("accepted"),
                                Boolean.TRUE.equals(row.getBoolean("full")),
                                row.getUUID("server_id")));
    }

    /** Emits whether there was no room for it. */
    Uni<Boolean> task(Db db, UUID message, SessionTasks.StartTask task, int mailbox) {
        return db.row(
                        InboxSql.TASK,
                        task.session(),
                        task.caller(),
                        message,
                        task.text(),
                        task.user(),
                        task.from().stream().map(SessionStatus::toString).toArray(String[]::new),
                        task.versions() == null ? null : task.versions().toArray(Long[]::new),
                        task.pause(),
                        mailbox,
                        Traces.current())
                .map(row -> row.getBoolean("full"));
    }

    Uni<StopResult> stop(Db db, ChatAgent of) {
        return db.row(InboxSql.STOP, of.workspace(), of.chat(), of.caller(), of.roleArray(), Traces.current())
                .map(row -> row == null
                        ? null
                        : new StopResult(
                                admission(row),
                                row.getUUID("session_id"),
                                row.getUUID("server_id"),
                                row.getUUID("command_id"),
                                row.getBoolean("dropped")));
    }

    Uni<AnswerResult> answer(Db db, ChatAgent to, UUID question, String answer, UUID message) {
        return db.row(
                        InboxSql.ANSWER,
                        to.workspace(),
                        to.chat(),
                        to.caller(),
                        to.roleArray(),
                        question,
                        answer,
                        message,
                        Traces.current())
                .map(row -> row == null
                        ? null
                        : new AnswerResult(admission(row), row.getUUID("question_id"), row.getUUID("server_id")));
    }

    private static Admission admission(Row row) {
        return new Admission(row.getString("role"), row.getBoolean("found"));
    }
}
