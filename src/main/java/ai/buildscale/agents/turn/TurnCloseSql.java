package ai.buildscale.agents.turn;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.session.SessionTransition;

/**
 * The statements that close turns, many in one, and that tidy up after sessions that ended past their owners. They lock
 * the sessions in the order of their ids; what is not the owner's any more stays as it is, and is missing from the
 * answer.
 */
final class TurnCloseSql {
    private TurnCloseSql() {}

    /** Sessions that one statement ends: their mailboxes, as full as they may be, have places in the log of one transaction. */
    static final int ENDS = 6;

    /**
     * Closes turns, or leaves them for later: {@code done}, {@code stopped} and {@code failed} are over; {@code waiting},
     * {@code paused} (with its session), {@code spent} (its budget is, which pauses the session), {@code parked} and
     * {@code returned} (for the next host, while the session rests) are not. The session goes to idle, or to error if the turn
     * failed; it stays as it is if it is not running any more. What is at rest already stays so. Of a turn that its session
     * took along when it ended, only what it has used is added. $1 server, $2 a JSON array of {@code turn_id, session_id, epoch, ending, said, reason, message,
     * question_id, schema, input_tokens, output_tokens, worked_ms}.
     */
    static final String CLOSE = SqlText.fill(
            """
            with given as materialized (
                select * from jsonb_to_recordset($2::text::jsonb) as g (
                    turn_id uuid, session_id uuid, epoch bigint, ending text, said text, reason text, message text,
                    question_id uuid, schema jsonb, input_tokens bigint, output_tokens bigint, worked_ms bigint)),
            held as materialized (
                select s.* from agent_sessions s
                where s.id in (select session_id from given) and s.server_id is not distinct from $1
                order by s.id
                for no key update of s),
            current as materialized (
                select t.id, t.session_id, t.state, t.owes_usage from turns t
                where t.id in (select g.turn_id from given g join held h on h.id = g.session_id and h.epoch = g.epoch)
                order by t.id
                for no key update of t),
            -- its answer was lost
            again as (
                select h.id, h.mail, h.turn_id from held h
                join given g on g.session_id = h.id and g.epoch = h.epoch and g.turn_id = h.turn_id
                join current c on c.id = h.turn_id
                where c.state = 'waiting' and g.ending = 'waiting'
                    or c.state in ('paused', 'parked') and g.ending in ('paused', 'parked', 'spent')
                    or c.state = 'paused' and g.ending = 'returned' and h.status <> 'running'),
            late as materialized (
                select h.id, h.workspace_id, c.id as late_turn, g.input_tokens as used_in, g.output_tokens as used_out,
                       g.worked_ms as used_ms
                from held h
                join given g on g.session_id = h.id and g.epoch = h.epoch
                join current c on c.id = g.turn_id and c.session_id = h.id
                where h.ended_at is not null and h.turn_id is null and c.owes_usage),
            late_turns as (
                update turns t
                set owes_usage = false, input_tokens = t.input_tokens + l.used_in,
                    output_tokens = t.output_tokens + l.used_out, worked_ms = t.worked_ms + l.used_ms
                from late l
                where t.id = l.late_turn),
            late_sessions as (
                update agent_sessions s
                set input_tokens = s.input_tokens + l.used_in, output_tokens = s.output_tokens + l.used_out,
                    worked_ms = s.worked_ms + l.used_ms
                from late l
                where s.id = l.id),
            mine as materialized (
                select h.*, g.turn_id as closed_turn, g.ending, g.said, g.reason, g.message as words, g.question_id, g.schema,
                       g.input_tokens as used_in, g.output_tokens as used_out, g.worked_ms as used_ms,
                       g.ending in ('done', 'stopped', 'failed') as over,
                       sum(p.places) over (order by h.id) - p.places as ordinal,
                       case when g.ending = 'done' then budget_reached(
                           h.turns, h.input_tokens + h.output_tokens + g.input_tokens + g.output_tokens,
                           h.worked_ms + g.worked_ms, null, h.max_tokens, h.max_seconds) end as spent
                from held h
                join given g on g.session_id = h.id and g.epoch = h.epoch and g.turn_id = h.turn_id
                cross join lateral (
                    select case when g.ending = 'failed' and h.status = 'running' then {places} else 1 end as places) p
                where h.turn_id not in (select turn_id from again)),
            o as materialized (
                select m.*,
                       case when m.ending = 'failed' then 'error'
                            when m.ending = 'spent' or m.spent is not null then 'paused' else 'idle' end as next,
                       coalesce(m.spent, case
                           when m.ending in ('failed', 'spent') then coalesce(m.reason, m.words)
                           when m.ending = 'returned' then 'waits for a host' end) as why,
                       null::text as task, case when m.ending = 'failed' then m.words end as message,
                       null::jsonb as outcome,
                       case when m.ending = 'spent' or m.spent is not null then next_id() end as new_pause_id,
                       null::bigint as pause_seconds, m.user_id as actor, m.ending = 'failed' as ends
                from mine m
                where m.status = 'running' and m.ending not in ('parked', 'paused')),

            {transition},
            still as (
                update agent_sessions s
                set turn_id = case when m.over then null else m.turn_id end,
                    input_tokens = m.input_tokens + m.used_in,
                    output_tokens = m.output_tokens + m.used_out,
                    worked_ms = m.worked_ms + m.used_ms,
                    -- a pause that met the end of the turn: there is nothing to go on with
                    paused_from = case when (m.over or m.ending = 'waiting') and m.paused_from = 'running' then 'idle'
                        else m.paused_from end,
                    blocked_on = case when m.ending = 'waiting' then left(m.words, 1000) when not m.over then m.blocked_on end,
                    last_position = next_position(m.last_position, m.ordinal)
                from mine m
                where s.id = m.id and not exists (select from o where o.id = m.id)
                returning s.*),
            kept as (
                select n.id, n.workspace_id, n.chat_id, n.agent_type, n.epoch, n.version, n.mail,
                       n.last_position - 3 - n.left_told as position
                from moved n
                union all
                select n.id, n.workspace_id, n.chat_id, n.agent_type, n.epoch, n.version, n.mail, n.last_position from still n),
            closed as (
                update turns t
                set state = case when m.ending = 'paused' and m.status = 'running' then 'parked'
                        when m.ending in ('spent', 'returned') then 'paused' else m.ending end, said = m.said,
                    ended_at = case when m.over then clock_timestamp() end,
                    parked_at = case when m.ending in ('parked', 'paused', 'returned') then now() end,
                    input_tokens = t.input_tokens + m.used_in,
                    output_tokens = t.output_tokens + m.used_out,
                    worked_ms = t.worked_ms + m.used_ms
                from mine m
                where t.id = m.closed_turn),
            written as (
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, state, position)
                select coalesce(m.question_id, next_id()), n.workspace_id, n.chat_id, n.id, m.closed_turn,
                       case when m.ending = 'waiting' then 'question' else 'assistant' end,
                       case when m.ending = 'waiting' then m.words else m.said end,
                       case when m.ending = 'waiting'
                                then jsonb_build_object('question_id', m.question_id, 'schema', m.schema)
                            when m.ending = 'done' then '{}'
                            else jsonb_build_object('partial', true, 'reason', m.reason) end,
                       case when m.ending = 'waiting' then 'open' end, n.position
                from mine m
                join kept n on n.id = m.id
                where m.ending in ('done', 'waiting') or (m.over and m.said <> '')),
            withdrawn as (
                update messages q set state = 'withdrawn'
                from mine m
                where m.over and q.chat_id = m.chat_id and q.turn_id = m.closed_turn and q.kind = 'question'
                    and q.state = 'open'),
            spending as (
                insert into workspace_spending as w (workspace_id, turns, input_tokens, output_tokens, worked_ms)
                select workspace_id, count(*) filter (where over), sum(used_in), sum(used_out), sum(used_ms)
                from (select workspace_id, over, used_in, used_out, used_ms from mine
                      union all
                      select workspace_id, false, used_in, used_out, used_ms from late) u
                group by 1
                order by 1
                on conflict (workspace_id) do update
                set turns = w.turns + excluded.turns, input_tokens = w.input_tokens + excluded.input_tokens,
                    output_tokens = w.output_tokens + excluded.output_tokens, worked_ms = w.worked_ms + excluded.worked_ms),
            told as (
                {append}
                select n.position, n.workspace_id, n.chat_id, n.id,
                       case m.ending when 'done' then 'done' when 'failed' then 'error' when 'waiting' then 'question_pending'
                           else 'stopped' end,
                       jsonb_build_object('session_id', n.id, 'chat_id', n.chat_id, 'turn_id', m.closed_turn,
                           'agent_type', n.agent_type, 'at', utc(clock_timestamp()), 'epoch', n.epoch)
                       || case m.ending
                           when 'done' then jsonb_build_object('message', m.said, 'usage', jsonb_build_object(
                               'input_tokens', m.used_in, 'output_tokens', m.used_out, 'milliseconds', m.used_ms))
                           when 'failed' then jsonb_build_object('message', m.words, 'partial_response', m.said)
                           when 'waiting' then jsonb_build_object('question_id', m.question_id, 'question', m.words,
                               'schema', m.schema, 'partial_response', m.said)
                           else jsonb_build_object('reason', m.reason, 'partial_response', m.said) end,
                       clock_timestamp(), false
                from mine m
                join kept n on n.id = m.id
                where m.ending not in ('parked', 'returned'))
            select id, mail from kept
            union all
            select id, mail from again
            union all
            select id, 0 from late""",
            "places",
            SessionTransition.places("h"),
            "transition",
            SessionTransition.closing("o.closed_turn", """
            , mail = case when o.ends then 0 else o.mail end,
                    turn_id = case when o.over then null else o.turn_id end,
                    input_tokens = o.input_tokens + o.used_in,
                    output_tokens = o.output_tokens + o.used_out,
                    worked_ms = o.worked_ms + o.used_ms,
                    blocked_on = case when o.ending = 'waiting' then left(o.words, 1000) when not o.over then o.blocked_on end,
                    last_progress_at = clock_timestamp()""", 1, 0),
            "append",
            EventLog.APPEND);

    /** Closes turns whose sessions ended past their owners. $1 limit. */
    static final String CLOSE_LEFT = SqlText.fill("""
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
                {append}
                select o.place, o.workspace_id, o.chat_id, o.session_id, 'stopped',
                       jsonb_build_object('session_id', o.session_id, 'chat_id', o.chat_id, 'turn_id', o.id,
                           'agent_type', o.agent_type, 'at', utc(o.ended_at), 'epoch', o.epoch, 'reason', 'ended',
                           'partial_response', o.said),
                       o.ended_at, false
                from o)
            select count(*) as n from due""", "append", EventLog.APPEND);

    /**
     * Drops messages that nothing will come of: those that wait for a session that has ended, and answers to turns that are
     * over. $1 limit.
     */
    static final String DROP_LEFT =
            SqlText.fill("""
            with found as materialized (
                (select m.id, m.session_id from messages m
                 join agent_sessions s on s.id = m.session_id
                 where m.state in ('new', 'waiting') and {works} and s.ended_at is not null
                 limit $1)
                union
                (select m.id, m.session_id from messages m
                 join turns t on t.id = m.turn_id
                 where m.state in ('new', 'waiting') and {resumes} and t.ended_at is not null
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
                {append}
                select p.place, p.workspace_id, p.chat_id, p.session_id, 'stopped',
                       jsonb_build_object('session_id', p.session_id, 'chat_id', p.chat_id, 'turn_id', null,
                           'message_id', p.message_id, 'reason', 'ended', 'partial_response', '',
                           'at', utc(clock_timestamp())),
                       clock_timestamp(), false
                from placed p
                where p.kind = 'user')
            select count(*) as n from dropped""", "works", Mail.WORKS, "resumes", Mail.RESUMES, "append", EventLog.APPEND);

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
}
