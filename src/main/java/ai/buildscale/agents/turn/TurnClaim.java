package ai.buildscale.agents.turn;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.session.SessionTransition;

/**
 * Composes the statements that claim turns, many in one. They lock the sessions and look at the locked rows: {@code
 * turn_id} and {@code mail} are never stale there, whatever was committed meanwhile.
 */
public final class TurnClaim {
    private TurnClaim() {}

    /** Characters of a message that become the session's current task. */
    private static final int TASK = 200;

    /** The columns that a claimed turn is read from: {@code t} the turn, {@code s} its session. */
    private static final String CLAIMED = """
            t.id as turn_id, t.message_id, t.said, t.attempt, s.id as session_id, s.chat_id, s.workspace_id, s.epoch,
            s.agent_type, s.mode, s.model, s.max_tokens - s.input_tokens - s.output_tokens as tokens_left,
            s.max_seconds * 1000 - s.worked_ms as millis_left,
            (select c.goal from chats c where c.id = s.chat_id) as goal""";

    private static final String INIT_DATA = """
            jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', t.id, 'message_id', t.message_id,
                'attempt', t.attempt, 'agent_type', s.agent_type, 'model', s.model, 'mode', s.mode,
                'partial_response', t.said, 'at', utc(clock_timestamp()), 'epoch', s.epoch)""";

    /**
     * Begins turns: each session that is free takes its next message, goes to running, and counts it against its budget;
     * one whose budget is used up is paused. An answer resumes the turn that asked; any other message puts an end to its
     * waiting. For the others the message waits.
     *
     * @param found makes {@code found}, the sessions to look at, after what it needs for that
     * @param owned whether the claimant may take the session {@code s}
     * @param freed whether the session {@code h} goes to idle if there is nothing to resume
     */
    public static String begin(TurnClaimant claimant, String found, String owned, String freed) {
        return SqlText.fill(
                """
            with {found},
            held as materialized (
                select s.* from agent_sessions s
                where s.id in (select session_id from found) and {owned} and s.ended_at is null
                {pick}),
            next as materialized (
                select h.id as session_id, m.*, h.turn_id is not null as waited,
                       budget_reached(
                           h.turns, h.input_tokens + h.output_tokens, h.worked_ms,
                           case when m.kind = 'answer' then null else h.max_turns end, h.max_tokens, h.max_seconds)
                           as spent
                from held h
                left join turns w on w.id = h.turn_id and w.state = 'waiting'
                cross join lateral (
                    select m.id as message_id, m.kind, m.content from messages m
                    where m.session_id = h.id and m.state in ('new', 'waiting')
                        and ({begins} or {resumes} and m.turn_id = w.id)
                    order by m.kind = 'answer' desc, m.urgent desc, m.position
                    limit 1
                    for no key update of m) m
                where h.status in ('idle', 'running') and (h.turn_id is null or w.id is not null)),
            o as materialized (
                select h.*, case when n.spent is null then 'running' else 'paused' end as next, n.spent as why,
                       case when n.kind = 'user' and n.spent is null
                           then left(regexp_replace(n.content, '\\s+', ' ', 'g'), {task_length}) end as task,
                       null::text as message, null::jsonb as outcome,
                       case when n.spent is not null then next_id() end as new_pause_id, null::bigint as pause_seconds,
                       h.user_id as actor, false as ends, row_number() over (order by h.id) - 1 as ordinal,
                       n.message_id, n.waited, n.waited and n.kind = 'answer' as answered,
                       case when n.waited and n.kind = 'answer' then h.turn_id else next_id() end as next_turn
                from held h
                join next n on n.session_id = h.id
                union all
                -- resumed, but there is nothing to go on with
                select h.*, 'idle', 'nothing to do', null, null, null, null, null, null, false,
                       (select count(*) from next) + row_number() over (order by h.id) - 1, null, false, false, null
                from held h
                where h.status = 'running' and h.turn_id is null and {freed}
                    and not exists (select from next n where n.session_id = h.id)
                    and exists (select from chats c where c.id = h.chat_id)),

            {transition},
            running as (
                select m.*, o.turn_id as old_turn, o.waited, o.answered, o.message_id
                from moved m
                join o on o.id = m.id
                where m.status = 'running'),
            left_off as (
                update turns t set state = 'stopped', ended_at = clock_timestamp()
                from running r
                where t.id = r.old_turn and r.waited and not r.answered
                returning t.*),
            withdrawn as (
                update messages q set state = 'withdrawn'
                from left_off l
                where q.chat_id = l.chat_id and q.turn_id = l.id and q.kind = 'question' and q.state = 'open'),
            kept as (
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
                select next_id(), l.workspace_id, l.chat_id, l.session_id, l.id, 'assistant', l.said,
                       '{"partial": true, "reason": "superseded"}', r.last_position - 4
                from left_off l
                join running r on r.id = l.session_id
                where l.said <> ''),
            begun as (
                insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch, server_id{columns})
                select r.turn_id, r.id, r.chat_id, r.workspace_id, r.message_id, 'running', r.epoch, r.server_id{values}
                from running r
                -- one open turn a session: the old one is closed first
                left join left_off l on l.session_id = r.id
                where not r.answered and (l.id is null or l.ended_at is not null)
                returning *),
            resumed as (
                update turns t set state = 'running', epoch = r.epoch, last_seq = null{assigned}
                from running r
                where r.answered and t.id = r.turn_id
                returning t.*),
            taken as (
                update messages m set state = 'taken', turn_id = r.turn_id, position = r.last_position
                from running r
                where m.id = r.message_id
                returning m.session_id, m.id, m.kind, m.content, m.data, m.traceparent),
            queued as (
                update messages m set state = 'waiting'
                from held h
                where m.session_id = h.id and m.state = 'new' and {works}
                    and not exists (select from running r where r.message_id = m.id)),
            t as (select * from begun union all select * from resumed),
            {beats}told as (
                {append}
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'session_init', {init_data}, clock_timestamp(), false
                from running s
                join t on t.session_id = s.id
                union all
                select s.last_position - 4, s.workspace_id, s.chat_id, s.id, 'stopped',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', l.id,
                           'reason', 'superseded', 'partial_response', l.said, 'at', utc(l.ended_at)),
                       l.ended_at, false
                from left_off l
                join running s on s.id = l.session_id)
            select {claimed}, n.kind, n.content, n.data::text as data, n.traceparent
            from t
            join running s on s.id = t.session_id
            join taken n on n.session_id = s.id""",
                "found",
                found,
                "owned",
                owned,
                "pick",
                claimant.pick(),
                "works",
                Mail.WORKS,
                "begins",
                Mail.BEGINS,
                "resumes",
                Mail.RESUMES,
                "task_length",
                Integer.toString(TASK),
                "freed",
                freed,
                "transition",
                transition(claimant),
                "columns",
                claimant.columns(),
                "values",
                claimant.values(),
                "assigned",
                claimant.assigned(),
                "beats",
                claimant.beats("running"),
                "append",
                EventLog.APPEND,
                "init_data",
                INIT_DATA,
                "claimed",
                CLAIMED);
    }

    private static String transition(TurnClaimant claimant) {
        return SessionTransition.of(
                SqlText.fill(
                        """
            {raised}, turn_id = case when o.next = 'running' then o.next_turn else o.turn_id end,
                    mail = case when o.next = 'running' then o.mail - 1 else o.mail end,
                    turns = case when o.next = 'running' and not o.answered then o.turns + 1 else o.turns end,
                    blocked_on = case when o.next = 'running' and o.waited then null else o.blocked_on end,
                    last_progress_at = clock_timestamp()""", "raised", claimant.raised("o.epoch + case when o.next = 'running' then 1 else 0 end")),
                1,
                1);
    }

    /**
     * Takes up turns that nobody runs, or that rest with their sessions.
     *
     * @param before makes what {@code from} needs; empty, or with a comma at its end
     * @param from joins the turns {@code t} and their sessions {@code s}
     * @param which whether the turn is one of them
     * @param still the same for the session {@code h} under its lock
     */
    public static String takeUp(TurnClaimant claimant, String before, String from, String which, String still) {
        return SqlText.fill(
                """
            with {before}
            held as materialized (
                select s.* from {from}
                where {which} and s.turn_id = t.id and s.ended_at is null
                {pick}),
            t as (
                update turns t
                set attempt = t.attempt + case when {lost} then 1 else 0 end, state = 'running',
                    epoch = h.epoch + {raise}, parked_at = null, last_seq = null{assigned}
                from held h
                where t.id = h.turn_id and t.ended_at is null and t.state in ('running', 'parked', 'paused')
                    and {still}
                returning t.*),
            numbered as (
                select h.*, row_number() over (order by h.id) - 1 as ordinal from held h join t on t.session_id = h.id),
            {takes}{beats}told as (
                {append}
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'session_init', {init_data}, clock_timestamp(), false
                from s
                join t on t.session_id = s.id)
            select {claimed}, null::text as kind, null::text as content, null::text as data,
                   (select m.traceparent from messages m where m.id = t.message_id) as traceparent
            from s
            join t on t.session_id = s.id""",
                "before",
                before,
                "from",
                from,
                "which",
                which,
                "pick",
                claimant.pick(),
                "lost",
                claimant.lost(),
                "raise",
                Integer.toString(claimant.raise()),
                "assigned",
                claimant.assigned(),
                "still",
                still,
                "takes",
                claimant.takes(),
                "beats",
                claimant.beats("s"),
                "append",
                EventLog.APPEND,
                "init_data",
                INIT_DATA,
                "claimed",
                CLAIMED);
    }
}
