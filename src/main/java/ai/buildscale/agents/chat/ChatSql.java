package ai.buildscale.agents.chat;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements on chats. What changes a chat's session locks its row first, so that it and those of {@link TurnSql} follow
 * one another.
 */
final class ChatSql {
    private ChatSql() {}

    /** What a {@link ChatView} is read from. */
    static final String VIEW = """
            c.id, c.workspace_id, c.user_id, c.name, c.goal, c.agent_type, c.model, c.mode, c.hosting, c.on_busy,
            c.created_at, c.updated_at, c.last_message_id""";

    /** $1 id, $2 workspace, $3 user, $4 name, $5 goal, $6 agent type, $7 model, $8 mode, $9 hosting, $10 policy. */
    static final String CREATE = """
            with rested as (
                -- its session is at rest: nobody beats for it
                delete from session_heartbeats h using agent_sessions s
                where s.chat_id = $1 and s.workspace_id = $2 and h.session_id = s.id)
            insert into chats as c (id, workspace_id, user_id, name, goal, agent_type, model, mode, hosting, on_busy,
                last_message_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $1)
            returning %s""".formatted(VIEW);

    /** With the session that lives in it, or else the last one. $1 workspace, $2 chat. */
    static final String GET = """
            select %s, (select s.id from agent_sessions s
                        where s.chat_id = c.id and s.workspace_id = c.workspace_id
                        order by (s.ended_at is null) desc, s.id desc
                        limit 1) as session_id
            from chats c
            where c.workspace_id = $1 and c.id = $2""".formatted(VIEW);

    /** $1 chat. Its row is not locked: whoever has locked the chat's session may come for that next. */
    static final String LOCK = "select pg_advisory_xact_lock(hashtextextended('chat:' || $1::uuid, 0))::text as locked";

    /** Those last talked in first. $1 workspace, $2 before this last message, $3 limit. */
    static final String LIST = """
            select %s from chats c
            where c.workspace_id = $1 and ($2::uuid is null or c.last_message_id < $2)
            order by c.last_message_id desc
            limit $3""".formatted(VIEW);

    static final String MESSAGE =
            "m.id, m.kind, m.content, m.data::text as data, m.user_id, m.turn_id, m.state, m.position, m.at";

    /** A page of what was said, newest first; what waits to be taken is the newest. $1 chat, $2 before, $3 limit. */
    static final String HISTORY = """
            select %s from messages m
            where m.chat_id = $1 and ($2::bigint is null or m.position < $2)
            order by m.position desc
            limit $3""".formatted(MESSAGE);

    /** What an agent remembers, oldest first: all of its turn, and the newest of those before. $1 chat, $2 turn, $3 limit. */
    static final String MEMORY = """
            select m.turn_id, m.kind, m.content, m.data::text as data from (
                select * from messages where chat_id = $1 and turn_id = $2
                union all
                (select * from messages where chat_id = $1 and turn_id <> $2
                 order by position desc
                 limit $3)) m
            order by m.position, m.id""";

    /**
     * The chat and the caller's role, and the chat's live session under its lock. A statement that begins so has {@code
     * place} (one row if the workspace exists) and {@code old} (the session, if the caller may talk to it). The role is
     * read again under the lock: the caller may have been removed while the statement waited. $1 workspace, $2 chat, $3
     * caller, $4 the roles that may (null: everybody).
     */
    private static final String PLACE = """
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
                       case when h.id is null then e.role else %s end as role
                from entered e
                left join held h on true),
            old as materialized (
                select h.* from held h
                cross join place p
                where $4::text[] is null or p.role = any ($4)),
            """.formatted(Permission.roleNow("e.role", "e.workspace_id", "$3"));

    private static String commanded(String traceparent) {
        return """
            commanded as (
                insert into session_commands (id, session_id, command, server_id, epoch, turn_id, traceparent)
                select next_id(), o.id, 'stop', o.server_id, o.epoch, o.turn_id, %s::text from stopping o
                returning *),
            """.formatted(traceparent);
    }

    private static final String COMMAND_DATA = """
            jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'command_id', c.id, 'command', c.command,
                'state', 'accepted', 'accepted_at', utc(c.accepted_at), 'delivered_at', null, 'applied_at', null,
                'at', utc(c.accepted_at), 'epoch', c.epoch, 'server_id', c.server_id, 'target_server_id', null,
                'fenced', false, 'detail', null)""";

    /**
     * Puts a message into the mailbox of the chat's agent, if that has room. $5 message id, $6 text, $7 what to do if it is busy
     * (null: as the chat says), $8 trace, $9 the messages that may wait. A turn that waits for a host is one that it is at.
     */
    static final String POST = PLACE + """
            given as materialized (
                select o.*, coalesce($7::text, o.on_busy) as policy,
                       o.turn_id is not null and (o.status <> 'idle' or chat_work(o.id) = 'left') as at_work
                from old o),
            accepted as materialized (
                select g.*, g.policy = 'interrupt' and g.at_work as interrupts
                from given g
                where not ((g.mail > 0 or g.at_work) and g.policy = 'reject') and g.mail < $9),
            stopping as (
                select a.* from accepted a where a.interrupts and a.server_id is not null),
            asked_to_stop as (
                update turns t set stop_requested = true from accepted a
                where a.interrupts and a.server_id is null and t.id = a.turn_id),
            -- nobody beats for it until a host takes the message, and it waits for that as long as it must
            rested as (
                delete from session_heartbeats h using accepted a
                where a.hosting = 'external' and a.status = 'idle' and h.session_id = a.id),
            """ + commanded("$8") + """
            s as (
                update agent_sessions s
                set mail = a.mail + 1, last_position = next_position(a.last_position, 0) + 1,
                    open_commands = a.open_commands + (select count(*) from commanded)::integer
                from accepted a
                where s.id = a.id
                returning s.*),
            written as (
                insert into messages (id, workspace_id, chat_id, session_id, kind, content, user_id, state, urgent, position,
                    traceparent)
                select $5::uuid, s.workspace_id, s.chat_id, s.id, 'user', $6::text, $3::uuid, 'new', a.interrupts,
                       s.last_position - 1, $8::text
                from accepted a
                join s on s.id = a.id),
            recent as (
                update chats c set last_message_id = greatest(c.last_message_id, $5::uuid), updated_at = now()
                from s
                where c.id = s.chat_id),
            told as (
                %s
                select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'message',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'message_id', $5::uuid,
                           'user_id', $3::uuid, 'content', $6::text, 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s
                union all
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'agent_command', %s, c.accepted_at, false
                from s
                cross join commanded c)
            select p.role, p.chat_id is not null as found, g.id is not null as live, g.status,
                   exists (select from s) as accepted, g.mail >= $9 as full, g.server_id
            from place p
            left join given g on true""".formatted(EventLog.APPEND, COMMAND_DATA);

    /**
     * Puts the task that a chat's session is started or resumed with into its mailbox, if that command may be carried out. $1
     * session, $2 caller (null: one who may everything), $3 message id, $4 text, $5 who it is by, $6 the states that the
     * session may be in, $7 the versions, one of which, and $8 the pause that are expected (null: any), $9 the messages that may wait, $10 trace.
     */
    static final String TASK = """
            with held as materialized (
                select s.* from agent_sessions s
                join chats c on c.id = s.chat_id and c.workspace_id = s.workspace_id
                where s.id = $1 and s.status = any ($6::text[])
                    and ($7::bigint[] is null or s.version = any ($7)) and ($8::uuid is null or s.pause_id = $8)
                for no key update of s),
            old as materialized (
                select o.* from held o where %s),
            s as (
                update agent_sessions s set mail = o.mail + 1, last_position = next_position(o.last_position, 0)
                from old o
                where s.id = o.id and o.mail < $9
                returning s.*),
            written as (
                insert into messages (id, workspace_id, chat_id, session_id, kind, content, user_id, state, position, traceparent)
                select $3::uuid, s.workspace_id, s.chat_id, s.id, 'user', $4::text, $5::uuid, 'new', s.last_position, $10::text
                from s),
            recent as (
                update chats c set last_message_id = greatest(c.last_message_id, $3::uuid), updated_at = now()
                from s
                where c.id = s.chat_id),
            told as (
                %s
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'message',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'message_id', $3::uuid,
                           'user_id', $5::uuid, 'content', $4::text, 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s)
            select exists (select from old) and not exists (select from s) as full""".formatted(Permission.controlled("$2"), EventLog.APPEND);

    /**
     * Stops what the chat's agent is at: its turn, by a command to its owner, or by what its host elsewhere learns from its
     * next call; if it has none, the message that would begin the next one is dropped. $5 trace.
     */
    static final String STOP = PLACE + """
            stopping as (
                select o.* from old o where o.turn_id is not null and o.server_id is not null),
            asked_to_stop as (
                update turns t set stop_requested = true from old o where o.server_id is null and t.id = o.turn_id),
            """ + commanded("$5") + """
            dropped as (
                update messages m set state = 'dropped'
                where m.id = (
                    select m.id from messages m
                    join old o on m.session_id = o.id
                    where m.state in ('new', 'waiting') and m.kind = 'user' and o.turn_id is null
                    order by m.urgent desc, m.position
                    limit 1
                    for no key update of m)
                returning m.*),
            s as (
                update agent_sessions s
                set last_position = next_position(o.last_position, 0) + 1,
                    mail = o.mail - (select count(*) from dropped)::integer,
                    open_commands = o.open_commands + (select count(*) from commanded)::integer
                from old o
                where s.id = o.id
                returning s.*),
            told as (
                %s
                select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'stopped',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', null, 'message_id', d.id,
                           'reason', 'stopped', 'partial_response', '', 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s
                cross join dropped d
                union all
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'agent_command', %s, c.accepted_at, false
                from s
                cross join commanded c)
            select p.role, p.chat_id is not null as found, s.id as session_id, s.server_id, c.id as command_id,
                   exists (select from dropped) as dropped
            from place p
            left join s on true
            left join commanded c on true""".formatted(EventLog.APPEND, COMMAND_DATA);

    /**
     * Answers a question, once. $5 question (null: the one that is open), $6 the answer as JSON, $7 the message's id, $8
     * trace. The agent that asked must still wait for it.
     */
    static final String ANSWER = PLACE + """
            asked as materialized (
                select q.id, q.turn_id from messages q
                join old o on q.chat_id = o.chat_id and q.turn_id = o.turn_id
                where q.kind = 'question' and q.state = 'open' and ($5::uuid is null or q.id = $5)
                for no key update of q),
            answered as (
                update messages q set state = 'answered' from asked a where q.id = a.id),
            s as (
                update agent_sessions s
                set mail = o.mail + 1, last_position = next_position(o.last_position, 0)
                from old o
                where s.id = o.id and exists (select from asked)
                returning s.*),
            written as (
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, user_id, state, position,
                    traceparent)
                select $7::uuid, s.workspace_id, s.chat_id, s.id, a.turn_id, 'answer', $6::text,
                       jsonb_build_object('question_id', a.id), $3::uuid, 'new', s.last_position, $8::text
                from s
                cross join asked a),
            recent as (
                update chats c set last_message_id = greatest(c.last_message_id, $7::uuid), updated_at = now()
                from s
                where c.id = s.chat_id),
            told as (
                %s
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'question_answered',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'question_id', a.id,
                           'answer', $6::text::jsonb, 'user_id', $3::uuid, 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s
                cross join asked a)
            select p.role, p.chat_id is not null as found, a.id as question_id, s.server_id
            from place p
            left join asked a on true
            left join s on true""".formatted(EventLog.APPEND);

    /** A question of a chat. $1 chat, $2 question, or null for the last one. */
    static final String QUESTION = """
            select m.id, m.state, m.data ->> 'schema' as schema,
                   (select a.content from messages a
                    where a.chat_id = m.chat_id and a.kind = 'answer' and a.data ->> 'question_id' = m.id::text) as answer
            from messages m
            where m.chat_id = $1 and m.kind = 'question' and ($2::uuid is null or m.id = $2)
            order by m.position desc
            limit 1""";

    /** $5 name given, $6 name, $7 model, $8 mode, $9 policy; of the live session too, unless it is null. */
    static final String CHANGE = PLACE + """
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
                %s
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
            select %s, p.role, p.chat_id is not null as found
            from place p
            left join c on true""".formatted(EventLog.APPEND, VIEW);

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

    /** Closes turns whose sessions ended past their owners. $1 limit. */
    static final String CLOSE_LEFT = """
            with due as materialized (
                select t.id, t.said, s.id as session_id, s.chat_id, s.workspace_id, s.agent_type, s.epoch, s.last_position
                from turns t
                join agent_sessions s on s.id = t.session_id
                where t.ended_at is null and s.ended_at < now() - interval '10 seconds' and s.open_commands = 0
                    and t.state in ('running', 'parked', 'paused', 'waiting')
                limit $1
                for no key update of s skip locked),
            closed as (
                update turns t set state = 'stopped', ended_at = clock_timestamp()
                from due d
                where t.id = d.id and t.ended_at is null
                returning t.id, t.ended_at),
            o as materialized (
                select d.*, c.ended_at, next_position(d.last_position, row_number() over (order by d.id) - 1) as place
                from due d
                join closed c on c.id = d.id),
            freed as (
                update agent_sessions s set turn_id = null, last_position = o.place from o where s.id = o.session_id),
            withdrawn as (
                update messages q set state = 'withdrawn'
                from o
                where q.chat_id = o.chat_id and q.turn_id = o.id and q.kind = 'question' and q.state = 'open'),
            kept as (
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
                select next_id(), o.workspace_id, o.chat_id, o.session_id, o.id, 'assistant', o.said,
                       '{"partial": true, "reason": "ended"}', o.place
                from o
                where o.said <> ''),
            told as (
                %s
                select o.place, o.workspace_id, o.chat_id, o.session_id, 'stopped',
                       jsonb_build_object('session_id', o.session_id, 'chat_id', o.chat_id, 'turn_id', o.id,
                           'agent_type', o.agent_type, 'at', utc(o.ended_at), 'epoch', o.epoch, 'reason', 'ended',
                           'partial_response', o.said),
                       o.ended_at, false
                from o)
            select count(*) as n from due""".formatted(EventLog.APPEND);

    /**
     * Drops messages that nothing will come of: those that wait for a session that has ended, and answers to turns that are
     * over. $1 limit.
     */
    static final String DROP_LEFT = """
            with found as materialized (
                (select m.id, m.session_id from messages m
                 join agent_sessions s on s.id = m.session_id
                 where m.state in ('new', 'waiting') and m.kind in ('user', 'answer') and s.ended_at is not null
                 limit $1)
                union
                (select m.id, m.session_id from messages m
                 join turns t on t.id = m.turn_id
                 where m.state in ('new', 'waiting') and m.kind = 'answer' and t.ended_at is not null
                 limit $1)),
            held as materialized (
                select s.* from agent_sessions s
                where s.id in (select session_id from found)
                order by s.id
                for no key update of s skip locked),
            dropped as (
                update messages m set state = 'dropped'
                from found f
                join held h on h.id = f.session_id
                where m.id = f.id and m.state in ('new', 'waiting')
                returning m.*),
            placed as (
                select h.id as session_id, h.workspace_id, h.chat_id, d.id as message_id, d.kind,
                       next_position(
                           h.last_position + row_number() over (partition by h.id order by d.position),
                           row_number() over (order by h.id, d.position) - 1) as place
                from dropped d
                join held h on h.id = d.session_id),
            s as (
                update agent_sessions s set last_position = p.last, mail = greatest(0, s.mail - p.n)
                from (select session_id, max(place) as last, count(*)::integer as n from placed group by 1) p
                where s.id = p.session_id),
            told as (
                %s
                select p.place, p.workspace_id, p.chat_id, p.session_id, 'stopped',
                       jsonb_build_object('session_id', p.session_id, 'chat_id', p.chat_id, 'turn_id', null,
                           'message_id', p.message_id, 'reason', 'ended', 'partial_response', '',
                           'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from placed p
                where p.kind = 'user')
            select count(*) as n from dropped""".formatted(EventLog.APPEND);

    /** Removes chunks of turns that are over; not at once, or they would be gone before they are read. $1 limit. */
    static final String REMOVE_LEFT_CHUNKS = """
            with removed as (
                delete from chunks where position in (
                    select c.position from chunks c
                    where c.at < now() - interval '1 minute'
                        and not exists (select from turns t where t.id = c.turn_id and t.ended_at is null)
                    order by c.position
                    limit $1)
                returning 1)
            select count(*) as n from removed""";

    /** What a workspace's agents have used. $1 workspace. */
    static final String SPENDING = """
            select turns, input_tokens, output_tokens, worked_ms from workspace_spending where workspace_id = $1""";
}
