package ai.buildscale.agents.chat;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements on hosts elsewhere and their turns. Locks are taken in this order: host, session, turn; a host that only
 * beats locks no session.
 */
final class HostSql {
    private HostSql() {}

    /** The turns that the host {@code $1} may still get, {@code $3} at most. */
    static final String ROOM = """
            room as materialized (select greatest(0, least($3::integer, coalesce(host_room($1::uuid), 0))) as n)""";

    /** Whether the host {@code h} serves the session {@code s}; $2 whether it serves all workspaces. */
    static final String SERVED = served("$2::boolean");

    private static String served(String everywhere) {
        return """
            s.hosting = 'external' and s.ended_at is null
                and (h.agent_types is null or s.agent_type = any (h.agent_types))
                and (h.models is null or s.model = any (h.models))
                and (%1$s or exists (
                    select from workspace_members w
                    where w.workspace_id = s.workspace_id and w.user_id = h.user_id and %2$s))""".formatted(everywhere, Permission.works("w.role"));
    }

    /**
     * Whether the session {@code s} can begin a turn. The epoch tells of a waiting turn that another host has just resumed: the
     * statement may still see it waiting.
     */
    static final String READY = """
            s.hosting = 'external' and s.status in ('idle', 'running')
                and (s.turn_id is null or exists (
                    select from turns w where w.id = s.turn_id and w.state = 'waiting' and w.epoch = s.epoch))""";

    /** Whether the message {@code m} of the session {@code s} can begin a turn, or resume one: an answer may come too late. */
    static final String MAIL =
            "m.state in ('new', 'waiting') and (m.kind = 'user' or m.kind = 'answer' and m.turn_id = s.turn_id)";

    /** Whether nobody runs the turn {@code t}. */
    private static final String LOST = "(t.state = 'parked' or t.state = 'running' and t.lease_until <= now())";

    /** Whether the host of the turn {@code t} has begun it for the last time, of {@code attempts}. */
    private static final String TRIED = "t.state = 'running' and t.begun_at is not null and t.attempt >= ";

    /**
     * Whether the turn {@code t} of the session {@code s} is to be gone on with; $5 its attempts. It was left, and the session
     * rests, or its host is silent.
     */
    static final String TO_TAKE_UP = """
            t.claimed_at is not null and t.ended_at is null and not t.stop_requested
                and (t.state = 'paused' and s.status in ('idle', 'running')
                    or t.state = 'parked' and s.status = 'running'
                    or t.state = 'running' and t.lease_until <= now() and s.status = 'running' and not (%s$5))""".formatted(TRIED);

    /** Whether the host $1 was given the turn {@code t} of the session {@code s}, and nothing was heard of it. */
    static final String UNKNOWN = """
            t.host_id = $1 and t.ended_at is null and t.state = 'running' and t.begun_at is null and not t.stop_requested
                and s.status = 'running'""";

    /** The turns that the host {@code h} has. */
    private static final String HAS = """
            (select count(*) from turns t
             where t.host_id = h.id and t.ended_at is null and t.state = 'running' and t.lease_until > now())""";

    private static final String VIEW = """
            h.id, h.user_id, h.name, h.agent_types, h.models, h.capacity, h.registered_at, h.seen_at, %s::integer as turns""".formatted(HAS);

    /** $1 id, $2 user, $3 name, $4 agent types, $5 models, $6 capacity. */
    static final String REGISTER = """
            insert into agent_hosts as h (id, user_id, name, agent_types, models, capacity)
            values ($1, $2, $3, $4, $5, $6)
            returning %s""".formatted(VIEW);

    static final String GET = "select " + VIEW + " from agent_hosts h where h.id = $1";

    /** Those registered last first. $1 user, or null for all, $2 limit. */
    static final String LIST = """
            select %s from agent_hosts h
            where $1::uuid is null or h.user_id = $1
            order by h.id desc
            limit $2""".formatted(VIEW);

    /** Its turns are let go of by {@link #LET_GO}, which sees those that it took until now. $1 host. */
    static final String LEAVE = "delete from agent_hosts where id = $1";

    /** The turns of a host that has left wait for the next one. $1 host. */
    static final String LET_GO = letGo("t.host_id = $1");

    /** Hosts leave that are silent for $1 ms, unless they still tell of turns. */
    static final String FORGET = """
            with gone as (
                delete from agent_hosts h where h.seen_at < now() - $1 * interval '1 millisecond' and %s = 0 returning h.id),
            let_go as (
                %s)
            select count(*) as n from gone""".formatted(HAS, letGo("t.host_id in (select id from gone)"));

    private static String letGo(String which) {
        return """
            update turns t set state = 'parked', parked_at = now(), lease_until = null, host_id = null
            where %s and t.ended_at is null and t.state = 'running'""".formatted(which);
    }

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
    static final String WITH_WORK =
            """
            select h.id from unnest($1::uuid[], $2::boolean[]) as a (id, everywhere)
            join agent_hosts h on h.id = a.id
            where h.capacity > %1$s
                and (exists (
                        select from messages m
                        join agent_sessions s on s.id = m.session_id
                        where %2$s and %3$s and %4$s)
                    or exists (
                        select from turns t
                        join agent_sessions s on s.id = t.session_id
                        where s.turn_id = t.id and %5$s and %3$s))""".formatted(HAS, MAIL, served("a.everywhere"), READY, TO_TAKE_UP.replace("$5", "$3"));

    /** What was said and done in chats, of each the newest, oldest first. $1 chats, $2 how many of each. */
    static final String HISTORY = """
            select c.chat_id, m.* from unnest($1::uuid[]) as c (chat_id)
            cross join lateral (
                select m.kind, m.content, m.data::text as data, m.position, m.id from messages m
                where m.chat_id = c.chat_id and m.turn_id is not null
                order by m.position desc, m.id desc
                limit $2) m
            order by c.chat_id, m.position, m.id""";

    /** Whether the user {@code $n} serves the workspace of the turn {@code t} still; null serves all. */
    private static String stillServed(String user) {
        return """
            (%1$s::uuid is null or exists (
                    select from workspace_members w
                    where w.workspace_id = t.workspace_id and w.user_id = %1$s and %2$s))""".formatted(user, Permission.works("w.role"));
    }

    /** Whether one of the turns $1 is of a workspace that the user $2 does not serve (any more). */
    static final String ANY_FOREIGN = "select exists (select from turns t where t.id = any ($1::uuid[]) and not "
            + stillServed("$2") + ") as foreign_too";

    /**
     * Beats for a host and for those of its turns that people want to go on; tells of each what they want, but nothing of
     * one whose workspace the host does not serve any more. $1 host, $2 turns, $3 epochs, $4 the lease in ms, $5 the host's
     * user (null: serves all).
     */
    static final String BEAT = """
            with host as (
                update agent_hosts set seen_at = now() where id = $1),
            given as materialized (
                select * from unnest($2::uuid[], $3::bigint[]) with ordinality as g (turn_id, epoch, n)),
            held as materialized (
                select t.id, t.session_id from turns t
                join given g on g.turn_id = t.id and g.epoch = t.epoch
                join agent_sessions s on s.id = t.session_id and s.epoch = t.epoch
                where t.host_id = $1 and t.state = 'running' and not t.stop_requested and s.status = 'running'
                    and %1$s
                order by t.id
                for no key update of t),
            extended as (
                update turns t
                set lease_until = now() + $4 * interval '1 millisecond', begun_at = coalesce(t.begun_at, now())
                from held h
                where t.id = h.id),
            beating as materialized (
                select extend_beats(array(select session_id from held)))
            select g.turn_id, h.id is not null as extended, t.host_id = $1 and t.epoch = g.epoch as known,
                   t.state, t.stop_requested, s.status, s.epoch,
                   greatest(0, extract(epoch from t.lease_until - now()))::bigint as seconds_left
            from given g
            cross join beating
            left join turns t on t.id = g.turn_id and %1$s
            left join agent_sessions s on s.id = t.session_id
            left join held h on h.id = t.id
            order by g.n""".formatted(stillServed("$5"));

    /**
     * A turn and its session, under their locks, and whether its workspace is served still: as of now, when they are locked.
     * $1 turn, $2 whether what was said is wanted, $3 the host's user (null: serves all).
     */
    static final String TURN = """
            with held as materialized (
                select t.id, t.session_id, t.chat_id, t.workspace_id, t.host_id, t.state, t.epoch, t.stop_requested,
                       t.said_length, t.last_seq, t.owes_usage, t.told_input, t.told_output,
                       case when $2::boolean then t.said end as said,
                       (extract(epoch from clock_timestamp() - t.claimed_at) * 1000)::bigint as worked_ms,
                       greatest(0, extract(epoch from t.lease_until - now()))::bigint as seconds_left,
                       s.status, s.ended_at is not null as session_ended, s.epoch as session_epoch,
                       s.max_tokens - s.input_tokens - s.output_tokens - t.told_input - t.told_output as tokens_left
                from turns t
                join agent_sessions s on s.id = t.session_id
                where t.id = $1
                for no key update of s, t)
            select h.*, coalesce($3::uuid is null or %s, false) as served
            from held h""".formatted(Permission.works(Permission.roleNow("h.workspace_id", "$3")));

    /**
     * Keeps and shows a piece of an answer, after all that the session has told before: also within this transaction. $1
     * session, $2 turn, $3 text, $4 its place, $5 the length of the whole.
     */
    static final String SAY = """
            with s as (
                update agent_sessions s
                set last_position = next_position(s.last_position, 0), last_progress_at = clock_timestamp(), stalled_at = null
                where s.id = $1
                returning s.*),
            said as (
                update turns t set said = t.said || $3::text, said_length = $5 where t.id = $2)
            %s
            select s.last_position, s.workspace_id, s.chat_id, s.id, $2::uuid, $4::integer, $3::text from s""".formatted(EventLog.APPEND_CHUNKS);

    /** What a request leaves behind. $1 turn, $2 lease in ms, $3 its number or null, $4 and $5 tokens that it told of. */
    static final String NOTED = """
            with noted as (
                update turns t
                set lease_until = now() + $2 * interval '1 millisecond', begun_at = coalesce(t.begun_at, now()),
                    last_seq = coalesce($3::bigint, t.last_seq),
                    told_input = t.told_input + $4, told_output = t.told_output + $5
                where t.id = $1
                returning t.session_id)
            select extend_beats(array(select session_id from noted))""";

    /** What it told of is in the sums. $1 turn. */
    static final String COUNTED = "update turns set told_input = 0, told_output = 0 where id = $1";

    /** How a host has ended its turn, or left it. $1 turn, $2 epoch, $3 host, $4 outcome, $5 what was given, $6 desired. */
    static final String ACCEPT = """
            insert into turn_results (turn_id, epoch, host_id, outcome, given, last_seq, desired_status)
            select t.id, $2::bigint, $3::uuid, $4::text, $5::text::jsonb, t.last_seq, $6::text from turns t where t.id = $1
            on conflict do nothing""";

    /** What was accepted. $1 turn, $2 epoch. */
    static final String ACCEPTED = """
            select r.host_id, r.outcome, r.given::text as given, r.last_seq, r.desired_status from turn_results r
            where r.turn_id = $1 and r.epoch = $2""";

    /** Why a turn is paused that has worked too long. */
    private static final String TIME_USED_UP = "budget: its time is used up";

    /**
     * Takes turns from hosts for good, those that are to end otherwise than by them: they were told to stop and did not, or
     * were begun and lost too often, or have used up their time. Each gets an epoch of its own; whoever has this one closes it. $1
     * attempts, $2 limit.
     */
    static final String SEIZE = """
            with found as materialized (
                select t.id as turn_id, t.session_id, t.chat_id, t.said, t.attempt, t.told_input, t.told_output, s.epoch + 1 as next,
                       case when t.state = 'running'
                           then (extract(epoch from least(now(), t.lease_until) - t.claimed_at) * 1000)::bigint else 0 end as worked_ms,
                       case when t.stop_requested or s.status = 'idle' then 'stopped'
                            when s.status = 'paused' then 'paused'
                            when %1$s and %3$s$1 then 'failed' else 'spent' end as ending,
                       case when t.stop_requested then 'stopped'
                            when s.status = 'idle' then 'yielded'
                            when s.status = 'paused' then 'paused'
                            when not (%1$s and %3$s$1) then '%2$s' end as reason
                from turns t
                join agent_sessions s on s.id = t.session_id
                where t.claimed_at is not null and t.ended_at is null and s.ended_at is null and s.turn_id = t.id
                    and s.hosting = 'external' and s.status in ('idle', 'running', 'paused')
                    and (t.stop_requested and (%1$s or t.state in ('waiting', 'paused'))
                        or %1$s and s.status in ('idle', 'paused')
                        or %1$s and %3$s$1
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
            select * from found""".formatted(LOST, TIME_USED_UP, TRIED);
}
