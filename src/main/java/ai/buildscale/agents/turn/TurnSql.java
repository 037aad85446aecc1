package ai.buildscale.agents.turn;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;

/**
 * The statements that claim and advance turns, many in one. They lock the sessions in the order of their ids
 * and look at the locked rows: {@code turn_id} and {@code mail} are never stale there, whatever was committed
 * meanwhile. What they name by server and epoch and do not own any more stays as it is, and is missing from the
 * answer. The server is null for sessions that are hosted outside: there the epoch alone tells.
 */
final class TurnSql {
    private TurnSql() {}

    /** Sessions that one statement looks at. */
    static final int BATCH = 500;

    /** Whether a server can think for the session {@code s}: what only a newer one knows waits for that. */
    private static final String THINKABLE = SqlText.fill(
            "s.hosting = 'server' and s.agent_type in {agent_types} and s.mode in {modes}",
            "agent_types",
            WireEnum.sql(AgentType.class),
            "modes",
            WireEnum.sql(Mode.class));

    /**
     * Begins turns. $1 server, $2 sessions to look at besides those with new messages.
     *
     * @see TurnClaim#begin
     */
    static final String BEGIN = TurnClaim.begin(
            TurnClaimant.SERVER,
            SqlText.fill("""
            found as materialized (
                select m.session_id from messages m
                join agent_sessions s on s.id = m.session_id
                where m.state = 'new' and {works} and s.server_id = $1 and s.ended_at is null
                    and {thinkable}
                union
                select unnest($2::uuid[]))""", "works", Mail.WORKS, "thinkable", THINKABLE),
            SqlText.fill("s.server_id = $1 and {thinkable}", "thinkable", THINKABLE),
            "h.id = any ($2::uuid[])");

    /** Of a turn that was found to be lost: as it is now, it is another owner's, or nobody's. */
    private static final String LOST_HERE = "(t.state <> 'running' or t.epoch <> h.epoch)";

    /** Read first, and alone: there are fewer of them than sessions of the server, which would be read in their order. */
    private static final String OWN = """
            own as materialized (
                select t.* from turns t where t.server_id = $1 and t.state in ('running', 'parked')),
            """;

    /**
     * Takes up turns of running sessions that nobody runs: their server was lost (one more attempt), or they were parked.
     * $1 server, $2 the milliseconds after which one that this server has parked itself is not handed over any more.
     */
    static final String TAKE_UP_LOST = TurnClaim.takeUp(
            TurnClaimant.SERVER,
            OWN,
            "own t join agent_sessions s on s.id = t.session_id",
            SqlText.fill("""
            s.server_id = t.server_id and {thinkable}
                and (t.epoch <> s.epoch
                    or t.state = 'parked' and t.parked_at < now() - $2 * interval '1 millisecond')
                and s.status = 'running'""", "thinkable", THINKABLE),
            LOST_HERE);

    /** The same for turns that were paused with their sessions. $1 server, $2 sessions. */
    static final String TAKE_UP_PAUSED = TurnClaim.takeUp(
            TurnClaimant.SERVER,
            "",
            "turns t join agent_sessions s on s.id = t.session_id",
            SqlText.fill("""
            t.state in ('paused', 'parked') and t.ended_at is null and s.server_id = $1 and s.id = any ($2::uuid[])
                and {thinkable} and s.status = 'running'""", "thinkable", THINKABLE),
            LOST_HERE);

    /** Sessions whose messages wait although nothing is in their way. $1 server. */
    static final String WAITING = SqlText.fill("""
            select distinct s.id from messages m
            join agent_sessions s on s.id = m.session_id
            where m.state = 'waiting' and {begins} and s.server_id = $1 and s.ended_at is null
                and s.status in ('idle', 'running') and {thinkable}
                and (s.turn_id is null or exists (select from turns w where w.id = s.turn_id and w.state = 'waiting'))
            limit 500""", "begins", Mail.BEGINS, "thinkable", THINKABLE);

    /** Turns that a server should run and is silent about, and turns of idle sessions. $1 server. */
    static final String ORPHANED = """
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
     * Writes down steps of running turns, one a turn, and what has been said by then; a repeat of a turn's last step is a
     * success without effect. $1 server, $2 a JSON array of {@code turn_id, session_id, epoch, seq, kind, content, data,
     * event, said, mode, task}; seq is null for what has no number, said where it is kept elsewhere.
     */
    static final String STEP = SqlText.fill("""
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
                {append}
                select s.last_position, s.workspace_id, s.chat_id, s.id,
                       case m.kind when 'mode' then 'mode_changed' when 'task' then 'agent_task' else m.kind end,
                       jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', m.step_turn,
                           'agent_type', s.agent_type, 'at', utc(s.updated_at), 'version', s.version) || m.event,
                       s.updated_at, false
                from fresh m
                join s on s.id = m.id)
            select id from mine""", "append", EventLog.APPEND);

    /**
     * Shows what running turns have just said, to those who follow them. Fenced like the rest, but without a lock: a chunk
     * that comes a moment too late is live only. $1 server, $2 turns, $3 sessions, $4 epochs, $5 places, $6 texts.
     */
    static final String SHOW = SqlText.fill("""
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
                {append_chunks}
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
            select turn_id from mine""", "append_chunks", EventLog.APPEND_CHUNKS);
}
