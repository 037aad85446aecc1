package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.WireEnum;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;

/**
 * A server as the fleet's table had it a moment ago.
 *
 * @param state a {@link ServerState}, or one that a newer server knows; such a server is given nothing
 * @param load the moving average of sessions ÷ capacity
 * @param countedAgo how long ago it counted its sessions
 * @param silent how long ago it renewed its lease, by the database's clock
 * @param vanished it held its presence lock, and holds it no more
 * @param holds it is gone and still owns live sessions, in states that are known here
 * @param overdue it drains and is past its time
 * @param rebalanceAt when an operator last asked for a rebalancing, or null
 */
record Member(
        UUID id,
        String hostname,
        String url,
        String state,
        Instant startedAt,
        Instant renewedAt,
        Instant goneAt,
        String goneReason,
        int capacity,
        Map<String, String> labels,
        long sessions,
        double load,
        String version,
        Duration countedAgo,
        Duration silent,
        boolean vanished,
        boolean holds,
        boolean overdue,
        Instant rebalanceAt) {

    boolean isGone() {
        return WireEnum.is(ServerState.GONE, state);
    }

    /** It may be given sessions, as far as is known. */
    boolean takes(Duration lostAfter) {
        return WireEnum.is(ServerState.ACTIVE, state) && !vanished && silent.compareTo(lostAfter) < 0;
    }

    boolean has(Map<String, String> required) {
        return labels.entrySet().containsAll(required.entrySet());
    }

    Member with(long nowSessions) {
        return new Member(
                id,
                hostname,
                url,
                state,
                startedAt,
                renewedAt,
                goneAt,
                goneReason,
                capacity,
                labels,
                nowSessions,
                load,
                version,
                countedAgo,
                silent,
                vanished,
                holds,
                overdue,
                rebalanceAt);
    }
}
