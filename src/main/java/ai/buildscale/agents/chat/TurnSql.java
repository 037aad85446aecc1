package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.TurnRepository.ClaimedTurn;
import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import ai.buildscale.agents.session.SessionTransition;

/**
 * The statements that claim, advance and close turns, many in one. They lock the sessions in the order of their ids
 * and look at the locked rows: {@code turn_id} and {@code mail} are never stale there, whatever was committed
 * meanwhile. What they name by server and epoch and do not own any more stays as it is, and is missing from the
 * answer. The server is null for sessions that are hosted outside: there the epoch alone tells.
 */
final class TurnSql {
    private TurnSql() {}

    /** Sessions that one statement looks at. */
    static final int BATCH = 500;

    /** Sessions that one statement ends: their mailboxes, as full as they may be, have places in the log of one transaction. */
    static final int ENDS = 6;

    /** Characters of a message that become the session's current task. */
    private static final int TASK = 200;

    /** What a {@link ClaimedTurn} is read from: {@code t} the turn, {@code s} its session. */
    private static final String BEGUN = """
            t.id as turn_id, t.message_id, t.said, t.attempt, s.id as session_id, s.chat_id, s.workspace_id, s.epoch,
            s.agent_type, s.mode, s.model, s.max_tokens - s.input_tokens - s.output_tokens as tokens_left,
            s.max_seconds * 1000 - s.worked_ms as millis_left,
            (select c.goal from chats c where c.id = s.chat_id) as goal""";

    private static final String INIT_DATA = """
            jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', t.id, 'message_id', t.message_id,
                'attempt', t.attempt, 'agent_type', s.agent_type, 'model', s.model, 'mode', s.mode,
                'partial_response', t.said, 'at', utc(clock_timestamp()), 'epoch', s.epoch)""";

    /** Whether a server can think for the session {@code s}: what only a newer one knows waits for that. */
    private static final String THINKABLE = "s.hosting = 'server' and s.agent_type in " + WireEnum.sql(AgentType.class)
            + " and s.mode in " + WireEnum.sql(Mode.class);

    /**
     * Begins turns: each session that is free takes its next message, goes to running, and counts it against its budget;
     * one whose budget is used up is paused. An answer goes on with the turn that asked; any other message puts an end to
     * its waiting. For the others the message waits. $1 server, $2 sessions to look at besides those with new messages.
     */
    static final String BEGIN = begin(
            TurnClaimant.SERVER,
            """
            found as materialized (
                select m.session_id from messages m
                join agent_sessions s on s.id = m.session_id
                where m.state = 'new' and m.kind in ('user', 'answer') and s.server_id = $1 and s.ended_at is null
                    and %s
                union
                select unnest($2::uuid[]))""".formatted(THINKABLE),
            "s.server_id = $1 and " + THINKABLE,
            "h.id = any ($2::uuid[])");

    /**
     * The same by a host elsewhere, which raises the epoch of each session that it gets. $1 host, $2 whether it serves all
     * workspaces, $3 turns at most, $4 its lease in ms.
     */
    static final String BEGIN_ELSEWHERE = begin(
            TurnClaimant.HOST,
            HostSql.ROOM + """
            ,
            found as materialized (
                select m.session_id from messages m
                join agent_sessions s on s.id = m.session_id
                join agent_hosts h on h.id = $1
                where %s and %s and %s)""".formatted(HostSql.MAIL, HostSql.SERVED, HostSql.READY),
            HostSql.READY,
            "false");

    private static String begin(TurnClaimant taker, String found, String owned, String freed) {
        return "with " + found + """
            ,
            held as materialized (
                select s.* from agent_sessions s
                where s.id in (select session_id from found) and %s and s.ended_at is null
                %s),
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
                        and (m.kind = 'user' or m.kind = 'answer' and m.turn_id = w.id)
                    order by m.kind = 'answer' desc, m.urgent desc, m.position
                    limit 1
                    for no key update of m) m
                where h.status in ('idle', 'running') and (h.turn_id is null or w.id is not null)),
            o as materialized (
                select h.*, case when n.spent is null then 'running' else 'paused' end as next, n.spent as why,
                       case when n.kind = 'user' and n.spent is null
                           then left(regexp_replace(n.content, '\\s+', ' ', 'g'), %d) end as task,
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
                where h.status = 'running' and h.turn_id is null and %s
                    and not exists (select from next n where n.session_id = h.id)
                    and exists (select from chats c where c.id = h.chat_id)),
            """.formatted(owned, taker.pick(), TASK, freed)
                + SessionTransition.of(
                        taker.raised("o.epoch + case when o.next = 'running' then 1 else 0 end") + """
            , turn_id = case when o.next = 'running' then o.next_turn else o.turn_id end,
                    mail = case when o.next = 'running' then o.mail - 1 else o.mail end,
                    turns = case when o.next = 'running' and not o.answered then o.turns + 1 else o.turns end,
                    blocked_on = case when o.next = 'running' and o.waited then null else o.blocked_on end,
                    last_progress_at = clock_timestamp()""", 1, 1)
                + """
            ,
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
                insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch, server_id%s)
                select r.turn_id, r.id, r.chat_id, r.workspace_id, r.message_id, 'running', r.epoch, r.server_id%s
                from running r
                -- one open turn a session: the old one is closed first
                left join left_off l on l.session_id = r.id
                where not r.answered and (l.id is null or l.ended_at is not null)
                returning *),
            resumed as (
                update turns t set state = 'running', epoch = r.epoch, last_seq = null%s
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
                where m.session_id = h.id and m.state = 'new' and m.kind in ('user', 'answer')
                    and not exists (select from running r where r.message_id = m.id)),
            t as (select * from begun union all select * from resumed),
            %stold as (
                %s
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'session_init', %s, clock_timestamp(), false
                from running s
                join t on t.session_id = s.id
                union all
                select s.last_position - 4, s.workspace_id, s.chat_id, s.id, 'stopped',
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', l.id,
                           'reason', 'superseded', 'partial_response', l.said, 'at', utc(l.ended_at)),
                       l.ended_at, false
                from left_off l
                join running s on s.id = l.session_id)
            select %s, n.kind, n.content, n.data::text as data, n.traceparent
            from t
            join running s on s.id = t.session_id
            join taken n on n.session_id = s.id""".formatted(
                                taker.columns(),
                                taker.values(),
                                taker.assigned(),
                                taker.beats("running"),
                                EventLog.APPEND,
                                INIT_DATA,
                                BEGUN);
    }

    /** Of a turn that was found to be lost: as it is now, it is another owner's, or nobody's. */
    private static final String LOST_HERE = "(t.state <> 'running' or t.epoch <> h.epoch)";

    /** Read first, and alone: there are fewer of them than sessions of the server, which would be read in their order. */
    private static final String OWN = """
            own as materialized (
                select t.* from turns t where t.server_id = $1 and t.state in ('running', 'parked')),
            """;

    /** Whether a server goes on with the turn of the session {@code s}. */
    private static final String RUNS = " and s.status = 'running'";

    /**
     * Takes up turns of running sessions that nobody runs: their server was lost (one more attempt), or they were parked.
     * $1 server, $2 the milliseconds after which one that this server has parked itself is not handed over any more.
     */
    static final String TAKE_UP_LOST = takeUp(
            TurnClaimant.SERVER,
            OWN,
            "own t join agent_sessions s on s.id = t.session_id",
            """
            s.server_id = t.server_id and %s
                and (t.epoch <> s.epoch
                    or t.state = 'parked' and t.parked_at < now() - $2 * interval '1 millisecond')""".formatted(THINKABLE) + RUNS,
            LOST_HERE);

    /** The same for turns that were paused with their sessions. $1 server, $2 sessions. */
    static final String TAKE_UP_PAUSED = takeUp(
            TurnClaimant.SERVER,
            "",
            "turns t join agent_sessions s on s.id = t.session_id",
            """
            t.state in ('paused', 'parked') and t.ended_at is null and s.server_id = $1 and s.id = any ($2::uuid[])
                and %s""".formatted(THINKABLE) + RUNS,
            LOST_HERE);

    /** Turns, each with its session and the host {@code $1}. */
    private static final String TURNS_AND_HOST = """
            turns t
                join agent_sessions s on s.id = t.session_id
                join agent_hosts h on h.id = $1""";

    /**
     * The same by a host elsewhere: turns whose host is silent or gave them back, and those that were paused; a session at
     * rest runs again. $1 to $4 as {@link #BEGIN_ELSEWHERE}, $5 the attempts that a turn has.
     */
    static final String TAKE_UP_ELSEWHERE = takeUp(
            TurnClaimant.HOST,
            HostSql.ROOM + ",\n",
            TURNS_AND_HOST,
            "%s and %s".formatted(HostSql.SERVED, HostSql.TO_TAKE_UP),
            HostSql.TO_TAKE_UP.replace("s.status", "h.status"));

    /**
     * Gives a host again what it was given and knows nothing of: it has said nothing of it, and just now has not named it
     * among its turns. $1 to $4 as {@link #BEGIN_ELSEWHERE}.
     */
    static final String GIVE_AGAIN = takeUp(
            TurnClaimant.HOST,
            "room as materialized (select $3::integer as n),\n",
            TURNS_AND_HOST,
            "%s and %s".formatted(HostSql.SERVED, HostSql.UNKNOWN),
            HostSql.UNKNOWN.replace("s.status", "h.status"));

    private static String takeUp(TurnClaimant taker, String before, String from, String which, String still) {
        return "with " + before
                + """
            held as materialized (
                select s.* from %s
                where %s and s.turn_id = t.id and s.ended_at is null
                %s),
            t as (
                update turns t
                set attempt = t.attempt + case when %s then 1 else 0 end, state = 'running',
                    epoch = h.epoch + %d, parked_at = null, last_seq = null%s
                from held h
                where t.id = h.turn_id and t.ended_at is null and t.state in ('running', 'parked', 'paused')
                    and %s
                returning t.*),
            numbered as (
                select h.*, row_number() over (order by h.id) - 1 as ordinal from held h join t on t.session_id = h.id),
            %s%stold as (
                %s
                select s.last_position, s.workspace_id, s.chat_id, s.id, 'session_init', %s, clock_timestamp(), false
                from s
                join t on t.session_id = s.id)
            select %s, null::text as kind, null::text as content, null::text as data,
                   (select m.traceparent from messages m where m.id = t.message_id) as traceparent
            from s
            join t on t.session_id = s.id""".formatted(
                                from,
                                which,
                                taker.pick(),
                                taker.lost(),
                                taker.raise(),
                                taker.assigned(),
                                still,
                                taker.takes(),
                                taker.beats("s"),
                                EventLog.APPEND,
                                INIT_DATA,
                                BEGUN);
    }

    /** Sessions whose messages wait although nothing is in their way. $1 server. */
    static final String WAITING = """
            select distinct s.id from messages m
            join agent_sessions s on s.id = m.session_id
            where m.state = 'waiting' and m.kind = 'user' and s.server_id = $1 and s.ended_at is null
                and s.status in ('idle', 'running') and %s
                and (s.turn_id is null or exists (select from turns w where w.id = s.turn_id and w.state = 'waiting'))
            limit 500""".formatted(THINKABLE);

    /** Turns that a server should run and is silent about, and such as an idle session should not have. $1 server. */
    static final String STRAYS = """
            select t.id, t.state, t.said, s.id as session_id, s.chat_id, s.epoch, s.status
            from turns t
            join agent_sessions s on s.id = t.session_id
            where t.state in ('running', 'parked') and t.server_id = $1 and s.server_id = $1 and s.turn_id = t.id
                and s.ended_at is null
                and (s.status = 'idle' or s.status = 'running' and t.state = 'running' and t.epoch = s.epoch)
                and (s.last_progress_at is null or s.last_progress_at < now() - interval '5 seconds')
            limit 500""";

    /**
     * Which sessions are not this server's to run any more: those of the ids that have ended, are another's or are removed,
     * and all that have ended a moment ago. $1 server, $2 ids.
     */
    static final String GONE = """
            select a.id, s.id is null or s.ended_at is not null as ended from unnest($2::uuid[]) as a (id)
            left join agent_sessions s on s.id = a.id
            where s.id is null or s.ended_at is not null or s.server_id is distinct from $1
            union
            select s.id, true from agent_sessions s
            where s.server_id = $1 and s.ended_at > now() - interval '5 seconds'""";

    /** A turn that is not over, whoever runs it, with its chunks. $1 server, $2 session. */
    static final String OPEN = """
            select t.id, t.state, s.epoch, t.said, s.chat_id, s.status
            from agent_sessions s
            join turns t on t.id = s.turn_id
            where s.id = $2 and s.server_id = $1 and t.ended_at is null""";

    /** What was said in a turn beyond its durable point. $1 chat, $2 turn. */
    static final String CHUNKS = """
            select from_char, text from chunks where chat_id = $1 and turn_id = $2 order by from_char, position""";

    /**
     * Writes down steps of running turns, one a turn, and what has been said by then; a repeat of a turn's last step is a
     * success without effect. $1 server, $2 a JSON array of {@code turn_id, session_id, epoch, seq, kind, content, data,
     * event, said, mode, task}; seq is null for what has no number, said where it is kept elsewhere.
     */
    static final String STEP = """
            with given as materialized (
                select * from jsonb_to_recordset($2::text::jsonb) as g (
                    turn_id uuid, session_id uuid, epoch bigint, seq bigint, kind text, content text, data jsonb, event jsonb,
                    said text, mode text, task text)),
            held as materialized (
                select s.* from agent_sessions s
                where s.id in (select session_id from given) and s.server_id is not distinct from $1
                    and s.status = 'running' and s.ended_at is null
                order by s.id
                for no key update of s),
            mine as materialized (
                select h.id, h.last_position, h.mode as old_mode, h.current_task as old_task, g.turn_id as step_turn, g.seq,
                       g.kind, g.content, g.data, g.event, g.said, g.mode as new_mode, g.task as new_task,
                       row_number() over (order by h.id) - 1 as ordinal
                from held h
                join given g on g.session_id = h.id and g.epoch = h.epoch and g.turn_id = h.turn_id),
            -- as the row is now, under its lock, not as it was when the statement began
            said as (
                update turns t set said = coalesce(m.said, t.said), last_seq = coalesce(m.seq, t.last_seq)
                from mine m
                where t.id = m.step_turn and (m.seq is null or t.last_seq is distinct from m.seq)
                returning t.id),
            fresh as (select m.* from mine m join said on said.id = m.step_turn),
            s as (
                update agent_sessions s
                set mode = coalesce(m.new_mode, s.mode), current_task = coalesce(m.new_task, s.current_task),
                    version = s.version + case when m.new_mode is distinct from m.old_mode and m.new_mode is not null
                            or m.new_task is distinct from m.old_task and m.new_task is not null then 1 else 0 end,
                    updated_at = clock_timestamp(), last_progress_at = clock_timestamp(), stalled_at = null,
                    last_position = next_position(m.last_position, m.ordinal)
                from fresh m
                where s.id = m.id
                returning s.*),
            in_mode as (
                update chats c set mode = m.new_mode, updated_at = now()
                from fresh m
                join s on s.id = m.id
                where m.new_mode is not null and c.id = s.chat_id),
            written as (
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
                select next_id(), s.workspace_id, s.chat_id, s.id, m.step_turn, m.kind, m.content, m.data, s.last_position
                from fresh m
                join s on s.id = m.id
                where m.kind in ('thought', 'call', 'observation')),
            told as (
                %s
                select s.last_position, s.workspace_id, s.chat_id, s.id,
                       case m.kind when 'mode' then 'mode_changed' when 'task' then 'agent_task' else m.kind end,
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', m.step_turn,
                           'agent_type', s.agent_type, 'at', utc(s.updated_at), 'version', s.version) || m.event,
                       s.updated_at, false
                from fresh m
                join s on s.id = m.id)
            select id from mine""".formatted(EventLog.APPEND);

    /**
     * Closes turns, or leaves them for later: {@code done}, {@code stopped} and {@code failed} are over; {@code waiting},
     * {@code paused} (with its session), {@code spent} (its budget is, which pauses the session), {@code parked} and
     * {@code returned} (for the next host, while the session rests) are not. The session goes to idle, or to error if the turn
     * failed; it stays as it is if it is not running any more. What is at rest already stays so. Of a turn that its session
     * took along when it ended, only what it has used is added. $1 server, $2 a JSON array of {@code turn_id, session_id, epoch, ending, said, reason, message,
     * question_id, schema, input_tokens, output_tokens, worked_ms}.
     */
    static final String CLOSE = """
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
                    select case when g.ending = 'failed' and h.status = 'running' then %s else 1 end as places) p
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
            """.formatted(SessionTransition.places("h"))
            + SessionTransition.closing("o.closed_turn", """
            , mail = case when o.ends then 0 else o.mail end,
                    turn_id = case when o.over then null else o.turn_id end,
                    input_tokens = o.input_tokens + o.used_in,
                    output_tokens = o.output_tokens + o.used_out,
                    worked_ms = o.worked_ms + o.used_ms,
                    blocked_on = case when o.ending = 'waiting' then left(o.words, 1000) when not o.over then o.blocked_on end,
                    last_progress_at = clock_timestamp()""", 1, 0)
            + """
            ,
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
                %s
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
            select id, 0 from late""".formatted(EventLog.APPEND);

    /**
     * Shows what running turns have just said, to those who follow them. Fenced like the rest, but without a lock: a chunk
     * that comes a moment too late is live only. $1 server, $2 turns, $3 sessions, $4 epochs, $5 places, $6 texts.
     */
    static final String SHOW = """
            with given as materialized (
                select * from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::text[])
                    with ordinality as g (turn_id, session_id, epoch, from_char, text, n)),
            mine as materialized (
                select g.*, s.workspace_id, s.chat_id, s.last_progress_at
                from given g
                join agent_sessions s on s.id = g.session_id
                where s.server_id is not distinct from $1 and s.epoch = g.epoch and s.turn_id = g.turn_id
                    and s.status = 'running'),
            shown as (
                %s
                select (pg_current_xact_id()::text::bigint << 16) + m.n, m.workspace_id, m.chat_id, m.session_id, m.turn_id,
                       m.from_char, m.text
                from mine m),
            silent as (
                select s.id from agent_sessions s
                where s.id in (select m.session_id from mine m
                               where m.last_progress_at is null or m.last_progress_at < now() - interval '5 seconds')
                order by s.id
                for no key update of s skip locked),
            heard as (
                update agent_sessions s set last_progress_at = clock_timestamp(), stalled_at = null
                from silent
                where s.id = silent.id)
            select turn_id from mine""".formatted(EventLog.APPEND_CHUNKS);
}
