package ai.buildscale.agents.server;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The rules by which {@link FleetMonitor} declares servers lost. Uses no clock and no database: the caller passes the
 * time and the fleet. All times are of one monotonic clock, in nanoseconds.
 */
final class FailureDetector {
    /** Looking costs each server a read of all rows: a large fleet looks less often. */
    private static final Duration PAUSE_A_MEMBER = Duration.ofMillis(5);

    private final ServerConfig config;
    private final Map<UUID, Long> vanishedSince = new ConcurrentHashMap<>();
    private volatile long steadySince;
    private volatile long lastLook;
    private volatile Duration pause;

    FailureDetector(ServerConfig config, long now) {
        this.config = config;
        this.steadySince = now;
        this.lastLook = now;
        this.pause = config.watchInterval();
    }

    /** Those that this server would give up. */
    record Suspects(Set<UUID> byLease, Set<UUID> byConnection) {
        boolean none() {
            return byLease.isEmpty() && byConnection.isEmpty();
        }
    }

    /** How long to wait until the next look. */
    Duration pause() {
        return pause;
    }

    /** A look has come back, at a fleet of so many. */
    void seen(int members, long now) {
        if (now - lastLook > config.leaseRenewal().plus(pause).toNanos()) {
            // this process has slept
            steadySince = now;
        }
        lastLook = now;
        Duration forAll = PAUSE_A_MEMBER.multipliedBy(members);
        pause = forAll.compareTo(config.watchInterval()) > 0 ? forAll : config.watchInterval();
    }

    /** A look has failed. */
    void blind(long now) {
        steadySince = now;
        vanishedSince.clear();
    }

    /** How long this server must have seen the database, owned and been present without a break, to judge others. */
    Duration enough() {
        return config.leaseRenewal().multipliedBy(3).dividedBy(2);
    }

    /**
     * Who is lost, by this look and those before.
     *
     * @param ownsFor how long this server has owned without a break
     * @param present whether its own presence lock has been held for long {@link #enough}
     */
    Suspects judge(List<Member> fleet, UUID me, Duration ownsFor, boolean present, long now) {
        Set<UUID> vanished = ids(
                fleet,
                member -> !member.isGone() && member.vanished() && !member.id().equals(me));
        vanishedSince.keySet().retainAll(vanished);
        Set<UUID> byConnection = new HashSet<>(vanished);
        byConnection.removeIf(one -> now - vanishedSince.computeIfAbsent(one, _ -> now)
                < config.watchInterval().toNanos() * 3 / 4);
        Set<UUID> byLease = ids(
                fleet,
                member -> !member.isGone()
                        && !member.id().equals(me)
                        && member.silent().compareTo(config.lostAfter()) > 0);
        boolean steady = now - steadySince > enough().toNanos() && ownsFor.compareTo(enough()) > 0;
        if (!present) {
            // what broke this server's connection may have broken theirs
            byConnection.clear();
        }
        byConnection.removeAll(byLease);
        return steady ? new Suspects(byLease, byConnection) : new Suspects(Set.of(), Set.of());
    }

    private static Set<UUID> ids(List<Member> fleet, Predicate<Member> which) {
        return fleet.stream().filter(which).map(Member::id).collect(Collectors.toSet());
    }
}
