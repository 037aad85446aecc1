package ai.buildscale.agents.host;

import ai.buildscale.agents.event.EventLog;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.workspace.Permission;

/**
 * The statements on hosts elsewhere, and on the turns that they hold. Locks are taken in this order: host, session, turn; a host that only
 * beats locks no session.
 */
final class HostSql {
    private HostSql() {}

    /** The turns that the host {@code h} has. */
    static final String HAS = """
            (select count(*) from turns t
             where t.host_id = h.id and t.ended_at is null and t.state = 'running' and t.lease_until > now())""";

    private static final String VIEW = SqlText.fill("""
            h.id, h.user_id, h.name, h.agent_types, h.models, h.capacity, h.registered_at, h.seen_at, {turns}::integer as turns""", "turns", HAS);

    /** $1 id, $2 user, $3 name, $4 agent types, $5 models, $6 capacity. */
    static final String REGISTER = SqlText.fill("""
            insert into agent_hosts as h (id, user_id, name, agent_types, models, capacity)
            values ($1, $2, $3, $4, $5, $6)
            returning {view}""", "view", VIEW);

    static final String GET = SqlText.fill("select {view} from agent_hosts h where h.id = $1", "view", VIEW);

    /** Deletes the host. {@link #LET_GO} then parks its turns, also those claimed until the delete. $1 host. */
    static final String LEAVE = "delete from agent_hosts where id = $1";

    /** Parks the running turns of a host that was deleted: they wait for the next host. $1 host. */
    static final String LET_GO = letGo("t.host_id = $1");

    /** Deletes hosts silent for $1 ms that hold no turn under a lease, and parks their turns whose lease has lapsed. */
    static final String FORGET = SqlText.fill("""
            with gone as (
                delete from agent_hosts h where h.seen_at < now() - $1 * interval '1 millisecond' and {has} = 0 returning h.id),
            let_go as (
                {let_go})
            select count(*) as n from gone""", "has", HAS, "let_go", letGo("t.host_id in (select id from gone)"));

    private static String letGo(String which) {
        return SqlText.fill("""
            update turns t set state = 'parked', parked_at = now(), lease_until = null, host_id = null
            where {which} and t.ended_at is null and t.state = 'running'""", "which", which);
    }

    /** The newest entries of each chat's history, oldest first. $1 chats, $2 how many entries of each. */
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
        return SqlText.fill("""
            ({user}::uuid is null or exists (
                    select from workspace_members w
                    where w.workspace_id = t.workspace_id and w.user_id = {user} and {works}))""", "user", user, "works", Permission.works("w.role"));
    }

    /** Whether one of the turns $1 is of a workspace that the user $2 does not serve (any more). */
    static final String ANY_FOREIGN = SqlText.fill(
            "select exists (select from turns t where t.id = any ($1::uuid[]) and not {still_served}) as foreign_too",
            "still_served",
            stillServed("$2"));

    /**
     * Beats for a host and for those of its turns that people want to go on; tells of each what they want, but nothing of
     * one whose workspace the host does not serve any more. $1 host, $2 turns, $3 epochs, $4 the lease in ms, $5 the host's
     * user (null: serves all).
     */
    static final String BEAT = SqlText.fill("""
            with host as (
                update agent_hosts set seen_at = now() where id = $1),
            given as materialized (
                select * from unnest($2::uuid[], $3::bigint[]) with ordinality as g (turn_id, epoch, n)),
            held as materialized (
                select t.id, t.session_id from turns t
                join given g on g.turn_id = t.id and g.epoch = t.epoch
                join agent_sessions s on s.id = t.session_id and s.epoch = t.epoch
                where t.host_id = $1 and t.state = 'running' and not t.stop_requested and s.status = 'running'
                    and {still_served}
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
            left join turns t on t.id = g.turn_id and {still_served}
            left join agent_sessions s on s.id = t.session_id
            left join held h on h.id = t.id
            order by g.n""", "still_served", stillServed("$5"));

    /**
     * A turn and its session, under their locks, and whether its workspace is served still: as of now, when they are locked.
     * $1 turn, $2 whether what was said is wanted, $3 the host's user (null: serves all).
     */
    static final String TURN = SqlText.fill("""
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
            select h.*, coalesce($3::uuid is null or {works}, false) as served
            from held h""", "works", Permission.works(Permission.roleNow("h.workspace_id", "$3")));

    /**
     * Appends a piece of the answer and shows it, at a position after all earlier ones of the session, also those of this
     * transaction. $1 session, $2 turn, $3 text, $4 its place, $5 the length of the whole.
     */
    static final String SAY = SqlText.fill("""
            with s as (
                update agent_sessions s
                set last_position = next_position(s.last_position, 0), last_progress_at = clock_timestamp(), stalled_at = null
                where s.id = $1
                returning s.*),
            said as (
                update turns t set said = t.said || $3::text, said_length = $5 where t.id = $2)
            {append_chunks}
            select s.last_position, s.workspace_id, s.chat_id, s.id, $2::uuid, $4::integer, $3::text from s""", "append_chunks", EventLog.APPEND_CHUNKS);

    /**
     * Renews the lease and adds the reported tokens. $1 turn, $2 lease in ms, $3 the request's number or null, $4 and $5
     * tokens.
     */
    static final String NOTED = """
            with noted as (
                update turns t
                set lease_until = now() + $2 * interval '1 millisecond', begun_at = coalesce(t.begun_at, now()),
                    last_seq = coalesce($3::bigint, t.last_seq),
                    told_input = t.told_input + $4, told_output = t.told_output + $5
                where t.id = $1
                returning t.session_id)
            select extend_beats(array(select session_id from noted))""";

    /** Resets the reported tokens: they are counted in the session's sums. $1 turn. */
    static final String COUNTED = "update turns set told_input = 0, told_output = 0 where id = $1";

    /** Stores the result of a turn. $1 turn, $2 epoch, $3 host, $4 outcome, $5 what was given, $6 desired. */
    static final String ACCEPT = """
            insert into turn_results (turn_id, epoch, host_id, outcome, given, last_seq, desired_status)
            select t.id, $2::bigint, $3::uuid, $4::text, $5::text::jsonb, t.last_seq, $6::text from turns t where t.id = $1
            on conflict do nothing""";

    /** Finds the stored result of a turn. $1 turn, $2 epoch. */
    static final String ACCEPTED = """
            select r.host_id, r.outcome, r.given::text as given, r.last_seq, r.desired_status from turn_results r
            where r.turn_id = $1 and r.epoch = $2""";
}
