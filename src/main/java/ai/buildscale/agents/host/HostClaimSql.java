package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.session.SessionTransition;
import ai.buildscale.agents.turn.Mail;
import ai.buildscale.agents.turn.TurnClaim;
import ai.buildscale.agents.turn.TurnClaimant;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements by which hosts elsewhere claim turns, give them back, and lose them. Locks are taken in this order:
 * host, session, turn.
 */
final class HostClaimSql {
    private HostClaimSql() {}

    /**
     * Any number of hosts may claim at once: the sessions that one of them is looking at, the others skip. The session whose
     * turn ended first is first. What a host was given and nothing was heard of was not begun.
     */
    private static final TurnClaimant HOST = new TurnClaimant(
            """
            order by s.updated_at, s.id
                limit (select n from room)
                for no key update of s skip locked""",
            1,
            "t.state = 'running' and t.begun_at is not null",
            ", host_id, lease_until, claimed_at, begun_at",
            """
            , $1::uuid, now() + $4 * interval '1 millisecond', clock_timestamp(), null::timestamptz""",
            SqlText.fill(
                    """
            o as (
                select n.*, 'running' as next, null::text as why, null::text as task, null::text as message,
                       null::jsonb as outcome, null::uuid as new_pause_id, null::bigint as pause_seconds, n.user_id as actor,
                       false as ends
                from numbered n),
            {transition},
            s as (
                select * from moved),
            """,
                    "transition",
                    SessionTransition.of(", epoch = o.epoch + 1, last_progress_at = clock_timestamp()", 0, 1)));

    /** The turns that the host {@code $1} may still get, {@code $3} at most. */
    private static final String ROOM = """
            room as materialized (select greatest(0, least($3::integer, coalesce(host_room($1::uuid), 0))) as n)""";

    /** Whether the host {@code h} serves the session {@code s}; $2 whether it serves all workspaces. */
    private static final String SERVED = served("$2::boolean");

    private static String served(String everywhere) {
        return SqlText.fill("""
            s.hosting = 'external' and s.ended_at is null
                and (h.agent_types is null or s.agent_type = any (h.agent_types))
                and (h.models is null or s.model = any (h.models))
                and ({everywhere} or exists (
                    select from workspace_members w
                    where w.workspace_id = s.workspace_id and w.user_id = h.user_id and {works}))""", "everywhere", everywhere, "works", Permission.works("w.role"));
    }

    /**
     * Whether the session {@code s} can begin a turn. The epoch tells of a waiting turn that another host has just resumed: the
     * statement may still see it waiting.
     */
    private static final String READY = """
            s.hosting = 'external' and s.status in ('idle', 'running')
                and (s.turn_id is null or exists (
                    select from turns w where w.id = s.turn_id and w.state = 'waiting' and w.epoch = s.epoch))""";

    /** Whether the message {@code m} of the session {@code s} can begin a turn, or resume one: an answer may come too late. */
    private static final String MAIL = SqlText.fill(
            "m.state in ('new', 'waiting') and ({begins} or {resumes} and m.turn_id = s.turn_id)",
            "begins",
            Mail.BEGINS,
            "resumes",
            Mail.RESUMES);

    /** Whether nobody runs the turn {@code t}. */
    private static final String LOST = "(t.state = 'parked' or t.state = 'running' and t.lease_until <= now())";

    /** Whether the host of the turn {@code t} has begun it for the last time, of {@code attempts}. */
    private static final String TRIED = "t.state = 'running' and t.begun_at is not null and t.attempt >= ";

    /**
     * Whether the turn {@code t} of the session {@code s} is to be taken up: it was left, and the session rests, or its host is silent.
     *
     * @param session the alias of the session's row
     */
    private static String toTakeUp(String session, String attempts) {
        return SqlText.fill("""
            t.claimed_at is not null and t.ended_at is null and not t.stop_requested
                and (t.state = 'paused' and {session}.status in ('idle', 'running')
                    or t.state = 'parked' and {session}.status = 'running'
                    or t.state = 'running' and t.lease_until <= now() and {session}.status = 'running' and not ({tried}{attempts}))""", "session", session, "tried", TRIED, "attempts", attempts);
    }

    /** Whether the host $1 was given the turn {@code t} of the session {@code s}, and nothing was heard of it. */
    private static String unknown(String session) {
        return SqlText.fill("""
            t.host_id = $1 and t.ended_at is null and t.state = 'running' and t.begun_at is null and not t.stop_requested
                and {session}.status = 'running'""", "session", session);
    }

    /**
     * Begins turns by a host, which raises the epoch of each session that it gets. $1 host, $2 whether it serves all
     * workspaces, $3 turns at most, $4 its lease in ms.
     *
     * @see TurnClaim#begin
     */
    static final String BEGIN = TurnClaim.begin(
            HOST, SqlText.fill("""
            {room},
            found as materialized (
                select m.session_id from messages m
                join agent_sessions s on s.id = m.session_id
                join agent_hosts h on h.id = $1
                where {mail} and {served} and {ready})""", "room", ROOM, "mail", MAIL, "served", SERVED, "ready", READY), READY, "false");

    /** Turns, each with its session and the host {@code $1}. */
    private static final String TURNS_AND_HOST = """
            turns t
                join agent_sessions s on s.id = t.session_id
                join agent_hosts h on h.id = $1""";

    /**
     * Takes up turns whose host is silent or gave them back, and those that were paused; a session at rest runs again. $1
     * to $4 as {@link #BEGIN}, $5 the attempts that a turn has.
     */
    static final String TAKE_UP = TurnClaim.takeUp(
            HOST,
            SqlText.fill("{room},", "room", ROOM),
            TURNS_AND_HOST,
            SqlText.fill("{served} and {to_take_up}", "served", SERVED, "to_take_up", toTakeUp("s", "$5")),
            toTakeUp("h", "$5"));

    /**
     * Gives a host again what it was given and knows nothing of: it has said nothing of it, and just now has not named it
     * among its turns. $1 to $4 as {@link #BEGIN}.
     */
    static final String GIVE_AGAIN = TurnClaim.takeUp(
            HOST,
            "room as materialized (select $3::integer as n),",
            TURNS_AND_HOST,
            SqlText.fill("{served} and {unknown}", "served", SERVED, "unknown", unknown("s")),
            unknown("h"));

    /**
     * The answer with these turns was not read: unless their host was heard of them, or was given them again, their leases are
     * over. $1 host, $2 turns, $3 their epochs.
     */
    static final String UNREAD = """
            update turns t set lease_until = now()
            from unnest($2::uuid[], $3::bigint[]) as g (turn_id, epoch)
            where t.id = g.turn_id and t.epoch = g.epoch and t.host_id = $1 and t.ended_at is null and t.state = 'running'
                and t.begun_at is null""";

    /**
     * Turns that nobody runs although their sessions look so: they were let go of, or were given to a host that was not heard
     * of them within its lease. Whoever has this one closes them as {@code returned}, in its transaction. $1 limit.
     */
    static final String LEFT = """
            select t.id as turn_id, t.session_id, t.chat_id, s.epoch, t.said,
                   -- of one that a host has ended itself it is in the sums
                   case when t.state = 'parked' and t.host_id is null and t.begun_at is not null
                       then (extract(epoch from t.parked_at - t.claimed_at) * 1000)::bigint else 0 end as worked_ms
            from turns t
            join agent_sessions s on s.id = t.session_id
            where t.claimed_at is not null and t.ended_at is null and s.ended_at is null and s.turn_id = t.id
                and s.status = 'running' and not t.stop_requested
                and (t.state in ('parked', 'paused')
                    or t.state = 'running' and t.lease_until <= now() and t.begun_at is null)
            order by s.id
            limit $1
            for no key update of s, t skip locked""";

    /** Which of these hosts have work to ask for. $1 hosts, $2 whether each serves all workspaces, $3 attempts. */
    static final String WITH_WORK = SqlText.fill(
            """
            select h.id from unnest($1::uuid[], $2::boolean[]) as a (id, everywhere)
            join agent_hosts h on h.id = a.id
            where h.capacity > {has}
                and (exists (
                        select from messages m
                        join agent_sessions s on s.id = m.session_id
                        where {mail} and {served} and {ready})
                    or exists (
                        select from turns t
                        join agent_sessions s on s.id = t.session_id
                        where s.turn_id = t.id and {to_take_up} and {served}))""",
            "has",
            HostSql.HAS,
            "mail",
            MAIL,
            "served",
            served("a.everywhere"),
            "ready",
            READY,
            "to_take_up",
            toTakeUp("s", "$3"));

    /** Why a turn is paused that has worked too long. */
    private static final String TIME_USED_UP = "budget: its time is used up";

    /**
     * Takes turns from hosts for good, those that are to end otherwise than by them: they were told to stop and did not, or
     * were begun and lost too often, or have used up their time. Each gets an epoch of its own; whoever has this one closes it. $1
     * attempts, $2 limit.
     */
    static final String SEIZE = SqlText.fill("""
            with found as materialized (
                select t.id as turn_id, t.session_id, t.chat_id, t.said, t.attempt, t.told_input, t.told_output, s.epoch + 1 as next,
                       case when t.state = 'running'
                           then (extract(epoch from least(now(), t.lease_until) - t.claimed_at) * 1000)::bigint else 0 end as worked_ms,
                       case when t.stop_requested or s.status = 'idle' then 'stopped'
                            when s.status = 'paused' then 'paused'
                            when {lost} and {tried}$1 then 'failed' else 'spent' end as ending,
                       case when t.stop_requested then 'stopped'
                            when s.status = 'idle' then 'yielded'
                            when s.status = 'paused' then 'paused'
                            when not ({lost} and {tried}$1) then '{time_used_up}' end as reason
                from turns t
                join agent_sessions s on s.id = t.session_id
                where t.claimed_at is not null and t.ended_at is null and s.ended_at is null and s.turn_id = t.id
                    and s.hosting = 'external' and s.status in ('idle', 'running', 'paused')
                    and (t.stop_requested and ({lost} or t.state in ('waiting', 'paused'))
                        or {lost} and s.status in ('idle', 'paused')
                        or {lost} and {tried}$1
                        or t.state = 'running' and s.status = 'running' and s.worked_ms
                            + extract(epoch from now() - t.claimed_at) * 1000 >= s.max_seconds * 1000)
                order by s.id
                limit $2
                for no key update of s, t skip locked),
            fenced as (
                update agent_sessions s set epoch = f.next from found f where s.id = f.session_id),
            seized as (
                update turns t set epoch = f.next, lease_until = now(), told_input = 0, told_output = 0
                from found f
                where t.id = f.turn_id)
            select * from found""", "lost", LOST, "time_used_up", TIME_USED_UP, "tried", TRIED);
}
