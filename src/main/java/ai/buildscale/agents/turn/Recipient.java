package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.workspace.Permission;

/**
 * Composes the head of statements on a chat's live session: the chat, the caller's role, and the session under its lock.
 */
public final class Recipient {
    private Recipient() {}

    /**
     * The chat and the caller's role, and the chat's live session under its lock. A statement that begins so has {@code
     * place} (one row if the workspace exists) and {@code old} (the session, if the caller may talk to it). The role is
     * read again under the lock: the caller may have been removed while the statement waited. $1 workspace, $2 chat, $3
     * caller, $4 the roles that may (null: everybody).
     */
    public static final String HEAD =
            SqlText.fill("""
            with entered as materialized (
                select w.id as workspace_id, r.role, c.id as chat_id, c.on_busy
                from workspaces w
                left join workspace_members r on r.workspace_id = w.id and r.user_id = $3
                left join chats c on c.workspace_id = w.id and c.id = $2
                where w.id = $1),
            held as materialized (
                select s.*, e.on_busy from entered e
                join agent_sessions s on s.workspace_id = e.workspace_id and s.chat_id = e.chat_id and s.ended_at is null
                where $4::text[] is null or e.role = any ($4)
                for no key update of s),
            place as materialized (
                select e.workspace_id, e.chat_id, e.on_busy,
                       case when h.id is null then e.role else {role_now} end as role
                from entered e
                left join held h on true),
            old as materialized (
                select h.* from held h
                cross join place p
                where $4::text[] is null or p.role = any ($4)),
            """, "role_now", Permission.roleNow("e.role", "e.workspace_id", "$3"));
}
