package ai.buildscale.agents.server;

import ai.buildscale.agents.session.Ownership.HandoverTargets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.UUID;

/**
 * The rules of {@link Placement}: which servers may be given sessions, and in which order. Uses no clock and no
 * database.
 */
final class PlacementPolicy {
    /** Those that share what one statement hands over: the least loaded ones; more would only make it longer. */
    static final int MOST_TARGETS = 16;

    static final Comparator<Member> LEAST_LOADED =
            Comparator.comparingDouble(PlacementPolicy::loadWithOneMore).thenComparing(Member::id);

    private PlacementPolicy() {}

    private static double loadWithOneMore(Member member) {
        return (member.sessions() + 1.0) / member.capacity();
    }

    /**
     * The members that may be given sessions, with their session counts, recent placements included.
     *
     * @param recentPlacements the sessions that this process has placed and the members have not counted yet
     * @param fleetReadAt when {@code fleet} was read, in nanoseconds of the monotonic clock
     */
    static List<Member> targets(
            List<Member> fleet,
            Set<UUID> except,
            Duration lostAfter,
            RecentPlacements recentPlacements,
            long fleetReadAt) {
        return fleet.stream()
                .filter(member -> member.takes(lostAfter) && !except.contains(member.id()))
                .map(member -> member.with(
                        member.sessions() + recentPlacements.since(member.id(), member.countedAgo(), fleetReadAt)))
                .toList();
    }

    /** Shares the next batch out: each session goes to the server that is least loaded by then. */
    static HandoverTargets share(List<Member> targets, Duration lostAfter) {
        List<Member> chosen =
                targets.stream().sorted(LEAST_LOADED).limit(MOST_TARGETS).toList();
        PriorityQueue<Member> queue = new PriorityQueue<>(LEAST_LOADED);
        queue.addAll(chosen);
        List<UUID> receivers = new ArrayList<>();
        while (!queue.isEmpty() && receivers.size() < HandoverTargets.BATCH) {
            Member next = queue.poll();
            receivers.add(next.id());
            queue.add(next.with(next.sessions() + 1));
        }
        return new HandoverTargets(ServerRepository.ids(chosen), receivers, lostAfter);
    }
}
