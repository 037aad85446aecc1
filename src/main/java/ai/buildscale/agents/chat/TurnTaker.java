package ai.buildscale.agents.chat;

/**
 * Who takes turns, as a part of the statements that do: a server, which owns its sessions already, or a host elsewhere, which
 * gets each by raising its epoch and has a lease on it.
 *
 * @param pick the order, the limit and the lock of the sessions that are looked at
 * @param raise what is added to the epoch of a session that is taken
 * @param columns more columns of the turn, each with a comma before it
 * @param values what they are set to
 */
record TurnTaker(String pick, int raise, String columns, String values) {
    static final TurnTaker SERVER = new TurnTaker("""
            order by s.id
                limit %d
                for no key update of s""".formatted(TurnSql.BATCH), 0, "", "");

    /** Any number of hosts may take at once: what one is looking at, the others skip. Whose turn ended first is first. */
    static final TurnTaker HOST = new TurnTaker("""
            order by s.updated_at, s.id
                limit (select n from room)
                for no key update of s skip locked""", 1, ", host_id, lease_until, claimed_at", """
            , $1::uuid, now() + $4 * interval '1 millisecond', clock_timestamp()""");

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
