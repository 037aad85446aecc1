package ai.buildscale.agents.chat;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.turn.Recipient;

/**
 * The statements on chats. A statement that changes a chat's session locks the session's row first, as the statements on
 * turns do.
 */
final class ChatSql {
    private ChatSql() {}

    /** What a {@link ChatView} is read from. */
    static final String VIEW = """
            c.id, c.workspace_id, c.user_id, c.name, c.goal, c.agent_type, c.model, c.mode, c.hosting, c.on_busy,
            c.created_at, c.updated_at""";

    /** $1 id, $2 workspace, $3 user, $4 name, $5 goal, $6 agent type, $7 model, $8 mode, $9 hosting, $10 policy. */
    static final String CREATE = SqlText.fill("""
            with rested as (
                -- its session is at rest: nobody beats for it
                delete from session_heartbeats h using agent_sessions s
                where s.chat_id = $1 and s.workspace_id = $2 and h.session_id = s.id)
            insert into chats as c (id, workspace_id, user_id, name, goal, agent_type, model, mode, hosting, on_busy,
                last_message_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $1)
            returning {view}""", "view", VIEW);

    /** A chat with its live session, or else its last one. $1 workspace, $2 chat. */
    static final String GET = SqlText.fill("""
            select {view}, (select s.id from agent_sessions s
                        where s.chat_id = c.id and s.workspace_id = c.workspace_id
                        order by (s.ended_at is null) desc, s.id desc
                        limit 1) as session_id
            from chats c
            where c.workspace_id = $1 and c.id = $2""", "view", VIEW);

    /**
     * Takes an advisory lock on the chat; the row itself stays unlocked because whoever has locked the chat's session may
     * come for it next. $1 chat.
     */
    static final String LOCK = "select pg_advisory_xact_lock(hashtextextended('chat:' || $1::uuid, 0))::text as locked";

    /** A question of a chat. $1 chat, $2 question, or null for the last one. */
    static final String QUESTION = """
            select m.id, m.state, m.data ->> 'schema' as schema,
                   (select a.content from messages a
                    where a.chat_id = m.chat_id and a.kind = 'answer' and a.data ->> 'question_id' = m.id::text) as answer
            from messages m
            where m.chat_id = $1 and m.kind = 'question' and ($2::uuid is null or m.id = $2)
            order by m.position desc
            limit 1""";

    /**
     * Changes a chat, and its live session if there is one. $1 to $4 as in {@link Recipient#HEAD}, $5 whether a name is
     * given, $6 name, $7 model, $8 mode, $9 policy; null in $7 to $9 leaves the value as it is.
     */
    static final String CHANGE =
            SqlText.fill("""
            {recipient}
            c as (
                update chats c
                set name = case when $5::boolean then $6::text else c.name end, model = coalesce($7::text, c.model),
                    mode = coalesce($8::text, c.mode), on_busy = coalesce($9::text, c.on_busy), updated_at = now()
                -- the session is locked before its chat, as all do
                from place p
                left join (select count(*) as n from old) o on true
                where o.n >= 0 and c.id = p.chat_id and ($4::text[] is null or p.role = any ($4))
                returning c.*),
            s as (
                update agent_sessions s
                set chat_name = c.name, model = coalesce($7::text, o.model), mode = coalesce($8::text, o.mode), version = s.version + 1,
                    updated_at = clock_timestamp(), last_position = next_position(o.last_position, 0) + 1
                from c, old o
                where s.id = o.id
                    and (c.name, coalesce($7::text, o.model), coalesce($8::text, o.mode))
                        is distinct from (o.chat_name, o.model, o.mode)
                returning s.*, o.mode as old_mode),
            told as (
                {append}
                select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'agent_updated',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'agent_type', s.agent_type,
                           'model', s.model, 'mode', s.mode, 'labels', s.labels, 'blocked_on', s.blocked_on,
                           'chat_name', s.chat_name, 'at', utc(s.updated_at), 'version', s.version),
                       s.updated_at, false
                from s
                union all
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'mode_changed',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'agent_type', s.agent_type,
                           'mode', s.mode, 'previous_mode', s.old_mode, 'at', utc(s.updated_at), 'version', s.version),
                       s.updated_at, false
                from s
                where s.mode <> s.old_mode)
            select {view}, p.role, p.chat_id is not null as found
            from place p
            left join c on true""", "recipient", Recipient.HEAD, "append", EventLog.APPEND, "view", VIEW);

    /**
     * What waits for a person in a workspace, oldest first: questions, pauses, and agents that make no progress. $1 workspace, $2 limit.
     */
    static final String ATTENTION = """
            select * from (
                (select 'question' as kind, q.id as question_id, q.session_id, q.chat_id, q.content as detail, q.data ->> 'schema'
                        as schema, q.at as since, s.agent_type, s.user_id, s.chat_name
                 from messages q
                 join agent_sessions s on s.id = q.session_id
                 where q.workspace_id = $1 and q.state = 'open' and q.kind = 'question' and s.ended_at is null
                 order by q.id
                 limit $2)
                union all
                (select case when s.status = 'paused' then 'paused' else 'stalled' end, null, s.id, s.chat_id,
                        s.pause_reason, null, coalesce(s.pause_at, s.stalled_at), s.agent_type, s.user_id, s.chat_name
                 from agent_sessions s
                 where s.workspace_id = $1 and s.ended_at is null
                     and (s.status = 'paused' or s.stalled_at is not null and s.status = 'running')
                 order by s.id
                 limit $2)) a
            order by since
            limit $2""";
}
