package ai.buildscale.agents.server;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;

/**
 * Computes how many sessions each server hands over to which other. A server's share is the fleet's sessions by its
 * part of the fleet's capacity. Only who has been above its share for a while gives (its moving average and its count
 * are both outside the dead band), at most {@link #CYCLE_LIMIT} of what it has in a cycle, and only to who is below:
 * so the plan becomes empty, and a fleet within the band is left alone. After Pekko's LeastShardAllocationStrategy
 * (relative and absolute limit a round) and Orleans' activation repartitioning (stops when it no longer helps); see
 * ADR 6.
 */
final class RebalancePolicy {
    /** A load up to this part above the share is as good as the share. */
    static final double DEAD_BAND = 0.1;
    /** Differences of fewer sessions are not worth a move. */
    static final int LEAST_EXCESS = 5;
    /** The part of a server's sessions that it gives away in a cycle at most, and their number. */
    static final double CYCLE_LIMIT = 0.2;

    static final int CYCLE_MOST = 2_000;

    private static final int LONGEST_REST = 16;

    private RebalancePolicy() {}

    /**
     * A server as the policy sees it.
     *
     * @param load the moving average of sessions ÷ capacity
     * @param takes whether it may be given sessions
     */
    record Candidate(UUID id, long sessions, int capacity, double load, boolean takes) {}

    record PlannedMove(UUID from, UUID to, int sessions) {}

    /** The moves of one cycle, by the server that gives; the same on every server that sees the same fleet. */
    static List<PlannedMove> plan(List<Candidate> fleet) {
        List<Candidate> servers = fleet.stream()
                .filter(Candidate::takes)
                .sorted(Comparator.comparing(Candidate::id))
                .toList();
        long capacity = servers.stream().mapToLong(Candidate::capacity).sum();
        if (servers.size() < 2 || capacity == 0) {
            return List.of();
        }
        double share = (double) servers.stream().mapToLong(Candidate::sessions).sum() / capacity;
        long[] room = servers.stream()
                .mapToLong(server -> (long) Math.floor(share * server.capacity()) - server.sessions())
                .toArray();
        List<PlannedMove> moves = new ArrayList<>();
        for (Candidate giver : servers) {
            int give = gives(giver, share);
            for (int i = 0; i < room.length && give > 0; i++) {
                int take = (int) Math.min(give, Math.max(0, room[i]));
                if (take > 0) {
                    moves.add(new PlannedMove(giver.id(), servers.get(i).id(), take));
                    room[i] -= take;
                    give -= take;
                }
            }
        }
        return moves;
    }

    /** How many intervals to rest until the next cycle: longer and longer while nothing that was planned can be moved. */
    static int rest(int last, int planned, int moved) {
        return planned > 0 && moved == 0 ? Math.min(LONGEST_REST, last * 2) : 1;
    }

    private static int gives(Candidate server, double share) {
        double excess = server.sessions() - share * server.capacity();
        boolean outside = excess >= LEAST_EXCESS
                && server.sessions() > share * server.capacity() * (1 + DEAD_BAND)
                && server.load() > share * (1 + DEAD_BAND);
        if (!outside) {
            return 0;
        }
        double limit = Math.max(1, Math.min(CYCLE_MOST, server.sessions() * CYCLE_LIMIT));
        return (int) Math.min(Math.floor(excess), limit);
    }
}
