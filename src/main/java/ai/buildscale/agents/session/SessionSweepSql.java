package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;

/** The statements of the sweeps: each moves a batch of sessions whose time has come, and skips rows that others lock. */
final class SessionSweepSql {
    private SessionSweepSql() {}

    /** Most rows that one statement may change: the places that next_position has for one transaction. */
    static final int MAX_BATCH = 4_096;

    /**
     * A sweep for batches of this size. The size is a literal, and what a batch locks is a {@code lateral}: given a
     * parameter, the planner assumes a tenth of all rows, and reads whole tables for as long as no statement may take.
     */
    static String batched(String sweep, int batch) {
        return SqlText.fill(sweep, "batch", Integer.toString(batch));
    }

    /** What a silent session tells. */
    private static final String SILENT = """
            'stale' as why,
            case when s.status = 'running'
                then format('No heartbeat for %s s', extract(epoch from now() - h.beat_at)::bigint) end as message""";

    private static final String SWEPT =
            "select count(*) as n, count(*) filter (where status = 'error') as failed from moved";

    /**
     * Since when the fleet has been there for who beats, without a break of $2 ms between two of these sweeps: from the
     * end of the last outage of the database or of all servers, or from the first sweep of all.
     */
    private static final String HEARING = """
            hearing as (
                insert into sweeps (name, started_at, finished_at) values ('hearing', now(), now())
                on conflict (name) do update set
                    started_at = case when sweeps.finished_at < now() - $2 * interval '1 millisecond' then now()
                        else sweeps.started_at end,
                    finished_at = now()
                returning started_at)""";

    /**
     * Sessions hosted outside that have not beaten although they would have been heard; one that beats meanwhile is let
     * off. Nobody holds a chat's session at rest, or one whose turn waits for a host or is on its way to one: it is not
     * silent. One statement notes that the fleet hears and judges by it: however late it runs, no outage is between the two.
     * $1 threshold in ms, $2 the break that counts as an outage, in ms.
     */
    static final String SWEEP_SILENT = SqlText.fill(
            """
            with {hearing},
            {sweep}
            {swept}""",
            "hearing",
            HEARING,
            "sweep",
            sweep(SILENT, "case when s.status = 'running' then 'error' else 'cancelled' end", """
            from session_heartbeats h
            cross join lateral (
                select a.* from agent_sessions a
                join session_heartbeats b on b.session_id = a.id
                where a.id = h.session_id
                    and b.beat_at < now() - $1 * interval '1 millisecond'
                    and a.status in ('running', 'idle') and a.hosting = 'external'
                    and (a.turn_id is null or (
                        select t.claimed_at is null or t.state = 'running' and t.begun_at is not null
                        from turns t where t.id = a.turn_id))
                    and (a.status = 'running' or (
                        select c.id from chats c where c.id = a.chat_id and c.workspace_id = a.workspace_id) is null)
                for no key update skip locked) s
            where h.beat_at < now() - $1 * interval '1 millisecond'
                and (select started_at from hearing) < now() - $1 * interval '1 millisecond'
            limit {batch}"""),
            "swept",
            SWEPT);

    /** Pauses that have run out; the session goes on as it was. */
    static final String SWEEP_PAUSES = SqlText.fill(
            """
            with {sweep}
            {swept}""",
            "sweep",
            sweep(
                    "s.paused_from as wanted, 'pause_expired' as why, null::text as message",
                    SqlText.fill(
                            "(select {going_on} from (select s.wanted, s.hosting, case when s.wanted = 'running' then {work} end as work) g)",
                            "going_on",
                            SessionCommandSql.goingOn("g"),
                            "work",
                            SessionCommandSql.work("s")),
                    """
            from agent_sessions s
            where s.pause_expires_at < now() and s.status = 'paused' and s.paused_from in ('running', 'idle')
                and s.hosting in ('server', 'external')
            limit {batch}
            for no key update of s skip locked"""),
            "swept",
            SWEPT);

    /**
     * Sessions that nobody beats for, hosted ones and those at rest between two hosts, that have been idle too long; not those
     * that somebody has given work to. $1 timeout in ms, $2 and $3 the workspace and id to look after: the
     * walk goes round the live sessions a piece at a time, so that a turn costs the same however many there are. Tells
     * where the next piece begins, too; null after the last one.
     */
    static final String SWEEP_INACTIVE =
            SqlText.fill("""
            with piece as materialized (
                select a.workspace_id, a.id, a.status = 'idle' and a.updated_at < now() - $1 * interval '1 millisecond'
                           and (a.hosting = 'server'
                               -- looked up one by one: an exists would be read from the whole table
                               or a.hosting = 'external' and (select h.session_id from session_heartbeats h where h.session_id = a.id) is null)
                           and a.mail = 0
                           and coalesce((select t.state from turns t where t.id = a.turn_id), '') not in ('paused', 'parked')
                           as inactive
                from agent_sessions a
                where a.ended_at is null and (a.workspace_id, a.id) > ($2::uuid, $3::uuid)
                order by a.workspace_id, a.id
                limit {batch}),
            {sweep}
            select (select count(*) from moved) as n, next.workspace_id, next.id
            from (select) one
            left join (select workspace_id, id from piece order by 1, 2 offset {batch} - 1) next on true""", "sweep", sweep("'inactive' as why, null::text as message", "'cancelled'", """
            from piece
            cross join lateral (
                select a.* from agent_sessions a
                where a.id = piece.id
                    and a.status = 'idle'
                    and a.updated_at < now() - $1 * interval '1 millisecond'
                    and a.mail = 0
                for no key update skip locked) s
            where piece.inactive"""));

    /** What was last heard of a running session's work. */
    private static final String PROGRESS = "greatest(a.last_progress_at, a.updated_at)";

    /**
     * Running sessions that make no progress, however well they beat: told once, until they do. $1 the time in ms, $2 and $3
     * where to go on, as {@link #SWEEP_INACTIVE}.
     */
    static final String SWEEP_STALLED = SqlText.fill("""
            with piece as materialized (
                select a.workspace_id, a.id, a.status = 'running' and a.stalled_at is null
                           and a.hosting in ('server', 'external')
                           and {progress} < now() - $1 * interval '1 millisecond' as due
                from agent_sessions a
                where a.ended_at is null and (a.workspace_id, a.id) > ($2::uuid, $3::uuid)
                order by a.workspace_id, a.id
                limit {batch}),
            due as (
                select l.*, row_number() over (order by l.id) - 1 as ordinal
                from piece
                cross join lateral (
                    select a.*, {progress} as since from agent_sessions a
                    where a.id = piece.id and a.status = 'running' and a.stalled_at is null
                        and {progress} < now() - $1 * interval '1 millisecond'
                    for no key update skip locked) l
                where piece.due),
            moved as (
                update agent_sessions s
                set stalled_at = clock_timestamp(), last_position = next_position(d.last_position, d.ordinal)
                from due d
                where s.id = d.id
                returning s.*, d.since),
            logged as (
                {append}
                select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_stalled',
                       jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                           'since', utc(m.since), 'at', utc(m.stalled_at), 'epoch', m.epoch),
                       m.stalled_at, false
                from moved m)
            select (select count(*) from moved) as n, next.workspace_id, next.id
            from (select) one
            left join (select workspace_id, id from piece order by 1, 2 offset {batch} - 1) next on true""", "progress", PROGRESS, "append", EventLog.APPEND);

    /** Removes sessions that ended longer ago than $1 ms. */
    static final String REMOVE_ENDED = """
            with removed as (
                delete from agent_sessions where id = any (array(
                    select id from agent_sessions where ended_at < now() - $1 * interval '1 millisecond'
                        and status in ('completed', 'cancelled', 'error')
                    order by ended_at limit {batch} for update skip locked))
                returning workspace_id),
            counted as (
                update workspace_usage u set total_sessions = u.total_sessions - r.n
                from (select workspace_id, count(*) as n from removed group by 1 order by 1) r
                where u.workspace_id = r.workspace_id)
            select count(*) as n from removed""";

    /**
     * @param columns what it tells, beside the columns of the session {@code s}
     * @param next the state that the locked row {@code s} goes to
     * @param due which sessions, locked; those whose ends have no place in the log of this transaction stay for the next
     */
    private static String sweep(String columns, String next, String due) {
        return SqlText.fill(
                """
            due as materialized (
                select s.*, {columns}
                {due}),
            going as materialized (
                select s.*, {next} as next from due s),
            placed as (
                select g.*, p.places, sum(p.places) over (order by g.id) as up_to
                from going g
                cross join lateral (
                    select case when g.next in ('cancelled', 'error') then {places} else 1 end as places) p),
            o as (
                select p.*, null::text as task, null::jsonb as outcome, null::uuid as new_pause_id,
                       null::bigint as pause_seconds, null::uuid as actor, next in ('cancelled', 'error') as ends,
                       up_to - places as ordinal
                from placed p
                where up_to <= {most} or up_to = places),
            {transition}""",
                "columns",
                columns,
                "next",
                next,
                "due",
                due,
                "places",
                SessionTransition.places("g"),
                "most",
                Integer.toString(MAX_BATCH),
                "transition",
                SessionTransition.swept());
    }
}
