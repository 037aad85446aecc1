package ai.buildscale.agents.session;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;

/**
 * The statements that give sessions another owner: locked, next epoch and event in one. Whoever held a session before is
 * fenced by the epoch; a server that may not have sessions (any more) gets none. Open commands need not be touched: they
 * are delivered to whoever owns their session, anew at each epoch.
 */
final class OwnershipSql {
    private OwnershipSql() {}

    /**
     * What a newer server has made of a session is for newer ones to move. A case: of one the planner expects half of the
     * rows to pass, of a state so few that it would sort all of them.
     */
    private static final String KNOWN =
            "case when a.hosting = 'server' and a.status in ('idle', 'running', 'paused') then true else false end";

    /**
     * Hands over a batch of what these servers own. $1 from, $2 to, $3 the turns in which they take, one after the
     * other, $4 the milliseconds after which a lease is lost, $5 why: null for servers that are gone, and no others.
     */
    static final String HAND_OVER = handOver(
            SqlText.fill("""
            from unnest($1::uuid[]) as wanted (id)
            join servers v on v.id = wanted.id
            cross join lateral (
                select a.* from agent_sessions a
                where a.server_id = v.id and a.ended_at is null
                    -- whoever is at work is not disturbed for the sake of balance
                    and (a.turn_id is null or $5::text is distinct from 'rebalance')
                    -- the common case by itself, or the planner expects few rows to pass, and sorts all of them
                    and (a.requires = '{}' or exists (select from fit f where f.labels @> a.requires and f.id <> v.id))
                    and exists (select from fit f where f.id <> v.id)
                    and {known}
                order by a.id
                limit {batch}
                for no key update skip locked) s
            where ($5::text is not null or v.lost_at is not null or v.left_at is not null or v.drain_until < now())
            limit {batch}""", "known", KNOWN),
            "asked as (select null::uuid as id, null::uuid as session_id where false),",
            "",
            "0");

    /**
     * The same for one session that was asked to migrate, which this applies. $1 the session, $6 its owner, $7 the
     * command; nothing if the session has left that owner, or the command is not open any more.
     */
    static final String HAND_OVER_ONE =
            handOver(SqlText.fill("""
            from (
                select a.* from agent_sessions a
                where a.id = any ($1::uuid[]) and a.ended_at is null and a.server_id = $6 and {known}
                for no key update) s
            left join servers v on v.id = s.server_id""", "known", KNOWN), """
            asked as materialized (
                select c.id, c.session_id from session_commands c
                join held h on h.id = c.session_id
                where c.id = $7 and c.applied_at is null
                for no key update of c),""", "join asked on asked.session_id = n.id", "1");

    private static String handOver(String which, String asked, String only, String settled) {
        return SqlText.fill(
                """
            with fit as materialized (
                select v.id, v.hostname, v.labels from servers v
                where v.id = any ($2::uuid[]) and v.state = 'active' and v.lost_at is null and v.left_at is null
                    and v.renewed_at > now() - $4 * interval '1 millisecond'),
            held as materialized (
                select s.*,
                       coalesce($5::text, v.lost_reason, case when v.left_at is null then 'drain' else 'left' end) as why,
                       case when v.lost_at is null and v.left_at is null then 'agent_migrated' else 'agent_recovered'
                           end as event,
                       v.renewed_at
                {which}),
            {asked}
            numbered as (
                select h.*, row_number() over (order by h.id) - 1 as ordinal from held h),
            o as (
                select n.*, t.id as to_id, t.hostname as to_hostname
                from numbered n
                {only}
                cross join lateral (
                    select f.id, f.hostname from fit f
                    where f.labels @> n.requires and f.id is distinct from n.server_id
                    order by f.id = ($3::uuid[])[1 + n.ordinal % cardinality($3::uuid[])] desc, f.id
                    limit 1) t),
            moved as (
                update agent_sessions s
                set server_id = o.to_id,
                    server_hostname = o.to_hostname,
                    epoch = o.epoch + 1,
                    version = o.version + 1,
                    open_commands = o.open_commands - {settled},
                    last_position = next_position(o.last_position, o.ordinal) + 1
                from o
                where s.id = o.id
                returning s.*, o.server_id as from_id, o.server_hostname as from_hostname, o.why, o.event, o.renewed_at),
            settled as (
                update session_commands c
                set delivered_at = coalesce(c.delivered_at, clock_timestamp()), applied_at = clock_timestamp(),
                    server_id = m.server_id, epoch = m.epoch
                from asked a
                join moved m on m.id = a.session_id
                where c.id = a.id
                returning c.*),
            logged as (
                {append}
                select m.last_position - 1, m.workspace_id, m.chat_id, m.id, m.event,
                       jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                           'status', m.status, 'from_server_id', m.from_id, 'from_server_hostname', m.from_hostname,
                           'server_id', m.server_id, 'server_hostname', m.server_hostname, 'reason', m.why,
                           'at', utc(clock_timestamp()), 'epoch', m.epoch, 'version', m.version),
                       clock_timestamp(), false
                from moved m
                union all
                select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_command', {command_data}, c.applied_at, false
                from settled c
                join moved m on m.id = c.session_id)
            select m.server_id, count(*) as n,
                   (extract(epoch from max(clock_timestamp() - m.renewed_at)) * 1000)::bigint as silent
            from moved m
            group by m.server_id""",
                "which",
                which,
                "asked",
                asked,
                "only",
                only,
                "settled",
                settled,
                "append",
                EventLog.APPEND,
                "command_data",
                CommandSql.data("applied", "c.applied_at"));
    }

    /** How many live sessions a server owns, how many of them run, and what it has not done yet. $1 server. */
    static final String COUNT = """
            select count(*) as sessions, count(*) filter (where status = 'running') as running,
                   (select count(*) from session_commands where applied_at is null and server_id = $1) as commands,
                   (select coalesce((extract(epoch from clock_timestamp() - min(accepted_at)) * 1000)::bigint, 0)
                    from session_commands where applied_at is null and server_id = $1) as oldest
            from agent_sessions where server_id = $1 and ended_at is null""";
}
