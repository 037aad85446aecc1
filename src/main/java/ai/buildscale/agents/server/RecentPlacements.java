package ai.buildscale.agents.server;

import ai.buildscale.agents.session.Ownership.HandoverTargets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/** Counts the sessions that this process has placed on each server and that server has not counted yet. */
final class RecentPlacements {
    private static final long GRAIN_NANOS = Duration.ofMillis(100).toNanos();

    private static final class Given {
        final long at;
        long sessions;

        Given(long at) {
            this.at = at;
        }
    }

    private final Map<UUID, Deque<Given>> given = new ConcurrentHashMap<>();

    void add(UUID server, long sessions, long now) {
        Deque<Given> of = given.computeIfAbsent(server, _ -> new ArrayDeque<>());
        synchronized (of) {
            if (of.isEmpty() || now - of.getLast().at > GRAIN_NANOS) {
                of.addLast(new Given(now));
            }
            of.getLast().sessions += sessions;
        }
    }

    /** A batch that they took in their turns. */
    void add(HandoverTargets targets, int sessions, long now) {
        targets.turns().stream().limit(sessions).forEach(taker -> add(taker, 1, now));
    }

    /** How many since the server has counted, that long ago; what is older is forgotten. */
    long since(UUID server, Duration countedAgo, long now) {
        Deque<Given> of = given.get(server);
        if (of == null) {
            return 0;
        }
        long counted = now - countedAgo.toNanos();
        synchronized (of) {
            long sum = 0;
            for (Iterator<Given> all = of.iterator(); all.hasNext(); ) {
                Given one = all.next();
                if (one.at - counted < 0) {
                    all.remove();
                } else {
                    sum += one.sessions;
                }
            }
            return sum;
        }
    }

    /** Forgets servers that are not among these. */
    void keep(Set<UUID> servers) {
        given.keySet().retainAll(servers);
    }
}
