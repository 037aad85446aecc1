package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.Page;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Rows;
import ai.buildscale.agents.turn.Inbox.Admission;
import ai.buildscale.agents.turn.Inbox.ChatAgent;
import io.quarkus.hibernate.reactive.panache.PanacheRepositoryBase;
import io.quarkus.panache.common.Sort;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;

/** Reads chats as entities for requests that only look; changes them by {@link ChatSql}. */
@ApplicationScoped
class ChatRepository implements PanacheRepositoryBase<Chat, UUID> {
    private static final int VIEW_COLUMNS = 12;

    /** A chat, and the session that lives in it or did last. */
    record FoundChat(ChatView chat, UUID session) {}

    /** A question; its answer as JSON, or null. */
    record AskedQuestion(UUID id, String state, String schema, String answer) {
        boolean isOpen() {
            return state.equals("open");
        }
    }

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
    Uni<Chat> find(UUID workspace, UUID chat) {
        return find("workspaceId = ?1 and id = ?2", workspace, chat).firstResult();
    }

    /** A page of the workspace's chats, those last talked in first. */
    Uni<List<Chat>> list(UUID workspace, Page page) {
        Sort newestFirst = Sort.by("lastMessageId").descending();
        return (page.before() == null
                        ? find("workspaceId", newestFirst, workspace)
                        : find("workspaceId = ?1 and lastMessageId < ?2", newestFirst, workspace, page.before()))
                .range(0, page.limit() - 1)
                .list();
    }

    /** The chat with its session, for statements of one transaction; emits null if there is no such chat. */
    Uni<FoundChat> find(Db db, UUID workspace, UUID chat) {
        return db.row(ChatSql.GET, workspace, chat)
                .map(row -> row == null ? null : new FoundChat(view(row, 0), row.getUUID(VIEW_COLUMNS)));
    }

    /** Until the transaction ends, nobody else who locks the chat so goes on. */
    Uni<Void> lock(Db db, UUID chat) {
        return db.row(ChatSql.LOCK, chat).replaceWithVoid();
    }

    /** Emits null if there is none. */
    Uni<AskedQuestion> question(Db db, UUID chat, UUID question) {
        return db.row(ChatSql.QUESTION, chat, question)
                .map(row -> row == null
                        ? null
                        : new AskedQuestion(
                                row.getUUID("id"),
                                row.getString("state"),
                                row.getString("schema"),
                                row.getString("answer")));
    }

    /** What changing a chat found and did; no chat if there is none, or the caller may not. */
    record ChangeResult(Admission admission, ChatView chat) {}

    /** Emits null if there is no such workspace. */
    Uni<ChangeResult> change(Db db, ChatAgent of, ChatChange change) {
        return db.row(
                        ChatSql.CHANGE,
                        of.workspace(),
                        of.chat(),
                        of.caller(),
                        of.roleArray(),
                        change.names("name"),
                        change.getName(),
                        change.getModel(),
                        change.getMode() == null ? null : change.getMode().toString(),
                        change.getOnBusy() == null ? null : change.getOnBusy().toString())
                .map(row -> row == null
                        ? null
                        : new ChangeResult(
                                new Admission(row.getString("role"), row.getBoolean("found")),
                                row.getUUID(0) == null ? null : view(row, 0)));
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
