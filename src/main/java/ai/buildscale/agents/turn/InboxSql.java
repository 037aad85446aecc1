package ai.buildscale.agents.turn;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements that put something into an agent's inbox, or take it back. Each locks the session's row first, so that
 * it and those of {@link TurnSql} follow one another.
 */
final class InboxSql {
    private InboxSql() {}

    private static String commanded(String traceparent) {
        return SqlText.fill("""
            commanded as (
                insert into session_commands (id, session_id, command, server_id, epoch, turn_id, traceparent)
                select next_id(), o.id, 'stop', o.server_id, o.epoch, o.turn_id, {traceparent}::text from stopping o
                returning *),
            """, "traceparent", traceparent);
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
    static final String POST = SqlText.fill(
            """
            {recipient}
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
            {commanded}
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
                {append}
                select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'message',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'message_id', $5::uuid,
                           'user_id', $3::uuid, 'content', $6::text, 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s
                union all
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'agent_command', {command_data}, c.accepted_at, false
                from s
                cross join commanded c)
            select p.role, p.chat_id is not null as found, g.id is not null as live, g.status,
                   exists (select from s) as accepted, g.mail >= $9 as full, g.server_id
            from place p
            left join given g on true""",
            "recipient",
            Recipient.HEAD,
            "commanded",
            commanded("$8"),
            "append",
            EventLog.APPEND,
            "command_data",
            COMMAND_DATA);

    /**
     * Puts the task that a chat's session is started or resumed with into its mailbox, if that command may be carried out. $1
     * session, $2 caller (null: one who may everything), $3 message id, $4 text, $5 who it is by, $6 the states that the
     * session may be in, $7 the versions, one of which, and $8 the pause that are expected (null: any), $9 the messages that may wait, $10 trace.
     */
    static final String TASK = SqlText.fill("""
            with held as materialized (
                select s.* from agent_sessions s
                join chats c on c.id = s.chat_id and c.workspace_id = s.workspace_id
                where s.id = $1 and s.status = any ($6::text[])
                    and ($7::bigint[] is null or s.version = any ($7)) and ($8::uuid is null or s.pause_id = $8)
                for no key update of s),
            old as materialized (
                select o.* from held o where {controlled}),
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
                {append}
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'message',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'message_id', $3::uuid,
                           'user_id', $5::uuid, 'content', $4::text, 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s)
            select exists (select from old) and not exists (select from s) as full""", "controlled", Permission.controlled("$2"), "append", EventLog.APPEND);

    /**
     * Stops what the chat's agent is at: its turn, by a command to its owner, or by what its host elsewhere learns from its
     * next call; if it has none, the message that would begin the next one is dropped. $5 trace.
     */
    static final String STOP = SqlText.fill(
            """
            {recipient}
            stopping as (
                select o.* from old o where o.turn_id is not null and o.server_id is not null),
            asked_to_stop as (
                update turns t set stop_requested = true from old o where o.server_id is null and t.id = o.turn_id),
            {commanded}
            dropped as (
                update messages m set state = 'dropped'
                where m.id = (
                    select m.id from messages m
                    join old o on m.session_id = o.id
                    where m.state in ('new', 'waiting') and {begins} and o.turn_id is null
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
                {append}
                select s.last_position - 1, s.workspace_id, s.chat_id, s.id, 'stopped',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', null, 'message_id', d.id,
                           'reason', 'stopped', 'partial_response', '', 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s
                cross join dropped d
                union all
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'agent_command', {command_data}, c.accepted_at, false
                from s
                cross join commanded c)
            select p.role, p.chat_id is not null as found, s.id as session_id, s.server_id, c.id as command_id,
                   exists (select from dropped) as dropped
            from place p
            left join s on true
            left join commanded c on true""",
            "recipient",
            Recipient.HEAD,
            "begins",
            Mail.BEGINS,
            "commanded",
            commanded("$5"),
            "append",
            EventLog.APPEND,
            "command_data",
            COMMAND_DATA);

    /**
     * Answers a question, once. $5 question (null: the one that is open), $6 the answer as JSON, $7 the message's id, $8
     * trace. The agent that asked must still wait for it.
     */
    static final String ANSWER = SqlText.fill("""
            {recipient}
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
                {append}
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'question_answered',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'question_id', a.id,
                           'answer', $6::text::jsonb, 'user_id', $3::uuid, 'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from s
                cross join asked a)
            select p.role, p.chat_id is not null as found, a.id as question_id, s.server_id
            from place p
            left join asked a on true
            left join s on true""", "recipient", Recipient.HEAD, "append", EventLog.APPEND);
}
