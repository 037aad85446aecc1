package ai.buildscale.agents.chat;

import ai.buildscale.agents.session.SessionTransition;

/**
 * The claimant of turns as a part of the claiming statements: a server, which owns its sessions already, or a host
 * elsewhere, which gets each by raising its epoch and has a lease on it.
 *
 * @param pick the order, the limit and the lock of the sessions that are looked at
 * @param raise what is added to the epoch of a session that is taken
 * @param lost whether the turn {@code t} that is taken up was lost by somebody who had begun it: that is an attempt
 * @param columns more columns of the turn, each with a comma before it
 * @param values what they are set to
 * @param takes makes {@code s} of {@code numbered}, the sessions whose turns are taken up
 */
record TurnClaimant(String pick, int raise, String lost, String columns, String values, String takes) {
    static final TurnClaimant SERVER =
            new TurnClaimant("""
            order by s.id
                limit %d
                for no key update of s""".formatted(TurnSql.BATCH), 0, "t.state = 'running'", "", "", """
            s as (
                update agent_sessions s
                set last_position = next_position(n.last_position, n.ordinal), last_progress_at = clock_timestamp(),
                    stalled_at = null
                from numbered n
                where s.id = n.id
                returning s.*),
            """);

    /**
     * Any number of hosts may take at once: what one is looking at, the others skip. Whose turn ended first is first. What a
     * host was given and nothing was heard of was not begun.
     */
    static final TurnClaimant HOST = new TurnClaimant(
            """
            order by s.updated_at, s.id
                limit (select n from room)
                for no key update of s skip locked""",
            1,
            "t.state = 'running' and t.begun_at is not null",
            ", host_id, lease_until, claimed_at, begun_at",
            """
            , $1::uuid, now() + $4 * interval '1 millisecond', clock_timestamp(), null::timestamptz""",
            """
            o as (
                select n.*, 'running' as next, null::text as why, null::text as task, null::text as message,
                       null::jsonb as outcome, null::uuid as new_pause_id, null::bigint as pause_seconds, n.user_id as actor,
                       false as ends
                from numbered n),
            """ + SessionTransition.of(", epoch = o.epoch + 1, last_progress_at = clock_timestamp()", 0, 1) + """
            ,
            s as (
                select * from moved),
            """);

    /** The assignment to {@code agent_sessions s} of its new epoch, where it gets one. */
    String raised(String epoch) {
        return raise == 0 ? "" : ", epoch = " + epoch;
    }

    /** The assignment to {@code turns t}. */
    String assigned() {
        return columns.isEmpty() ? "" : ", (" + columns.substring(2) + ") = (" + values.substring(2) + ")";
    }

    /** The first beat of the sessions in {@code taken}: whoever sweeps silent ones leaves them alone. */
    String beats(String taken) {
        return raise == 0 ? "" : """
            beating as (
                insert into session_heartbeats (session_id) select id from %s
                on conflict (session_id) do update set beat_at = now()),
            """.formatted(taken);
    }
}
