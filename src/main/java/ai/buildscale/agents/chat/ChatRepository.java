package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.session.SessionStatus;
import ai.buildscale.agents.session.SessionTasks;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;

/** Runs {@link ChatSql} and reads its rows. */
@ApplicationScoped
class ChatRepository {
    private static final int VIEW_COLUMNS = 13;

    /** Who may do it, where, and what a statement found there; {@code null} for no workspace. */
    record Place(String role, boolean found) {}

    /** A chat, its newest session, and where a list goes on after it. */
    record Found(ChatView chat, UUID session, UUID lastMessage) {}

    /**
     * What posting a message found and did.
     *
     * @param full whether as many messages wait as may
     */
    record Posted(Place place, boolean live, String status, boolean accepted, boolean full, UUID server) {}

    /** What stopping found and did. */
    record Stopped(Place place, UUID session, UUID server, UUID command, boolean dropped) {}

    /** What answering found and did; no question if none is open. */
    record Answered(Place place, UUID question, UUID server) {}

    /** A question; its answer as JSON, or null. */
    record Question(UUID id, String state, String schema, String answer) {}

    Uni<ChatView> create(Db db, ChatView chat) {
        return db.row(
                        ChatSql.CREATE,
                        chat.id(),
                        chat.workspaceId(),
                        chat.userId(),
                        chat.name(),
                        chat.goal(),
                        chat.agentType(),
                        chat.model(),
                        chat.mode(),
                        chat.hosting(),
                        chat.onBusy())
                .map(row -> view(row, 0));
    }

    /** Emits null if there is no such chat. */
    Uni<Found> find(Db db, UUID workspace, UUID chat) {
        return db.row(ChatSql.GET, workspace, chat)
                .map(row -> row == null
                        ? null
                        : new Found(view(row, 0), row.getUUID(VIEW_COLUMNS), row.getUUID(VIEW_COLUMNS - 1)));
    }

    /** Until the transaction ends, nobody else who locks the chat so goes on. */
    Uni<Void> lock(Db db, UUID chat) {
        return db.row(ChatSql.LOCK, chat).replaceWithVoid();
    }

    Uni<List<Found>> list(Db db, UUID workspace, Page page) {
        return db.rows(ChatSql.LIST, workspace, page.before(), page.limit())
                .map(rows -> Rows.map(rows, row -> new Found(view(row, 0), null, row.getUUID(VIEW_COLUMNS - 1))));
    }

    Uni<List<MessageView>> history(Db db, UUID chat, Long before, int limit) {
        return db.rows(ChatSql.HISTORY, chat, before, limit).map(rows -> Rows.map(rows, ChatRepository::message));
    }

    /** Emits null if there is no such workspace. */
    Uni<Posted> post(
            Db db,
            UUID workspace,
            UUID chat,
            UUID user,
            String[] roles,
            UUID message,
            String content,
            BusyPolicy policy,
            int mailbox) {
        return db.row(
                        ChatSql.POST,
                        workspace,
                        chat,
                        user,
                        roles,
                        message,
                        content,
                        policy == null ? null : policy.toString(),
                        Traces.current(),
                        mailbox)
                .map(row -> row == null
                        ? null
                        : new Posted(
                                place(row),
                                row.getBoolean("live"),
                                row.getString("status"),
                                row.getBoolean("accepted"),
                                Boolean.TRUE.equals(row.getBoolean("full")),
                                row.getUUID("server_id")));
    }

    /** Emits whether there was no room for it. */
    Uni<Boolean> task(Db db, UUID message, SessionTasks.Task task, int mailbox) {
        return db.row(
                        ChatSql.TASK,
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

    /** Emits null if there is no such workspace. */
    Uni<Stopped> stop(Db db, UUID workspace, UUID chat, UUID user, String[] roles) {
        return db.row(ChatSql.STOP, workspace, chat, user, roles, Traces.current())
                .map(row -> row == null
                        ? null
                        : new Stopped(
                                place(row),
                                row.getUUID("session_id"),
                                row.getUUID("server_id"),
                                row.getUUID("command_id"),
                                row.getBoolean("dropped")));
    }

    /** Emits null if there is no such workspace. */
    Uni<Answered> answer(
            Db db, UUID workspace, UUID chat, UUID user, String[] roles, UUID question, String answer, UUID message) {
        return db.row(ChatSql.ANSWER, workspace, chat, user, roles, question, answer, message, Traces.current())
                .map(row -> row == null
                        ? null
                        : new Answered(place(row), row.getUUID("question_id"), row.getUUID("server_id")));
    }

    /** Emits null if there is none. */
    Uni<Question> question(Db db, UUID chat, UUID question) {
        return db.row(ChatSql.QUESTION, chat, question)
                .map(row -> row == null
                        ? null
                        : new Question(
                                row.getUUID("id"),
                                row.getString("state"),
                                row.getString("schema"),
                                row.getString("answer")));
    }

    /** What changing a chat found and did; no chat if there is none, or the caller may not. */
    record Changed(Place place, ChatView chat) {}

    /** Emits null if there is no such workspace. */
    Uni<Changed> change(Db db, UUID workspace, UUID chat, UUID user, String[] roles, ChatChange change) {
        return db.row(
                        ChatSql.CHANGE,
                        workspace,
                        chat,
                        user,
                        roles,
                        change.names("name"),
                        change.getName(),
                        change.getModel(),
                        change.getMode() == null ? null : change.getMode().toString(),
                        change.getOnBusy() == null ? null : change.getOnBusy().toString())
                .map(row -> row == null ? null : new Changed(place(row), row.getUUID(0) == null ? null : view(row, 0)));
    }

    Uni<List<AttentionView>> attention(Db db, UUID workspace, int limit) {
        return db.rows(ChatSql.ATTENTION, workspace, limit)
                .map(rows -> Rows.map(
                        rows,
                        row -> new AttentionView(
                                row.getString("kind"),
                                row.getUUID("session_id"),
                                row.getUUID("chat_id"),
                                row.getString("chat_name"),
                                row.getString("agent_type"),
                                row.getUUID("user_id"),
                                Rows.instant(row, "since"),
                                row.getString("detail"),
                                row.getUUID("question_id"),
                                row.getString("schema"))));
    }

    Uni<UsageView> spending(Db db, UUID workspace) {
        return db.row(ChatSql.SPENDING, workspace)
                .map(row -> row == null
                        ? new UsageView(0, 0, 0, 0)
                        : new UsageView(
                                row.getLong("turns"),
                                row.getLong("input_tokens"),
                                row.getLong("output_tokens"),
                                row.getLong("worked_ms") / 1_000));
    }

    private static Place place(Row row) {
        return new Place(row.getString("role"), row.getBoolean("found"));
    }

    private static MessageView message(Row row) {
        return new MessageView(
                row.getUUID("id"),
                row.getString("kind"),
                row.getString("content"),
                row.getString("data"),
                row.getUUID("user_id"),
                row.getUUID("turn_id"),
                row.getString("state"),
                row.getLong("position"),
                Rows.instant(row, "at"));
    }

    private static ChatView view(Row row, int at) {
        return new ChatView(
                row.getUUID(at),
                row.getUUID(at + 1),
                row.getUUID(at + 2),
                row.getString(at + 3),
                row.getString(at + 4),
                row.getString(at + 5),
                row.getString(at + 6),
                row.getString(at + 7),
                row.getString(at + 8),
                row.getString(at + 9),
                Rows.instant(row, at + 10),
                Rows.instant(row, at + 11));
    }
}
