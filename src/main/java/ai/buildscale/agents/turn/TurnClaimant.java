package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.SqlText;

/**
 * The claimant of turns as a part of the claiming statements ({@link TurnClaim}): a server, which owns its sessions
 * already, or a host elsewhere, which gets each by raising its epoch and has a lease on it.
 *
 * @param pick the order, the limit and the lock of the sessions that are looked at
 * @param raise what is added to the epoch of a session that is taken
 * @param lost whether the turn {@code t} that is taken up was lost by an owner that had begun it: that is an attempt
 * @param columns more columns of the turn, each with a comma before it
 * @param values what they are set to
 * @param takes makes {@code s} of {@code numbered}, the sessions whose turns are taken up
 */
public record TurnClaimant(String pick, int raise, String lost, String columns, String values, String takes) {
    static final TurnClaimant SERVER = new TurnClaimant(
            SqlText.fill("""
            order by s.id
                limit {batch_size}
                for no key update of s""", "batch_size", Integer.toString(TurnSql.BATCH)), 0, "t.state = 'running'", "", "", """
            s as (
                update agent_sessions s
                set last_position = next_position(n.last_position, n.ordinal), last_progress_at = clock_timestamp(),
                    stalled_at = null
                from numbered n
                where s.id = n.id
                returning s.*),
            """);

    /** The assignment to {@code agent_sessions s} of its new epoch, where it gets one. */
    String raised(String epoch) {
        return raise == 0 ? "" : ", epoch = " + epoch;
    }

    /** The assignment to {@code turns t}. */
    String assigned() {
        return columns.isEmpty()
                ? ""
                : SqlText.fill(
                        ", ({columns}) = ({values})", "columns", columns.substring(2), "values", values.substring(2));
    }

    /** The first heartbeat of the sessions in {@code taken}: the sweep of silent ones leaves them alone. */
    String beats(String taken) {
        return raise == 0 ? "" : SqlText.fill("""
            beating as (
                insert into session_heartbeats (session_id) select id from {taken}
                on conflict (session_id) do update set beat_at = now()),
            """, "taken", taken);
    }
}
