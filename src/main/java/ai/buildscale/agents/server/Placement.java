package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import ai.buildscale.agents.session.SessionPlacement;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * Places sessions: on the least loaded server (sessions ÷ capacity) that takes sessions and has the labels. It looks
 * at the fleet as it was a moment ago, and adds what it has placed itself since; several servers that place at once
 * differ by what they place between two looks.
 */
@ApplicationScoped
class Placement implements SessionPlacement {
    private final ServerConfig config;
    private final Membership self;
    private final RecentPlacements placed = new RecentPlacements();
    private volatile List<Member> members = List.of();
    private volatile long seenAt = System.nanoTime();

    Placement(ServerConfig config, Membership self) {
        this.config = config;
        this.self = self;
    }

    @Override
    public UUID self() {
        return self.owns() ? self.id() : null;
    }

    /** The fleet as it is now. */
    void update(List<Member> fleet) {
        seenAt = System.nanoTime();
        members = fleet;
        placed.keep(Set.copyOf(ServerRepository.ids(fleet)));
    }

    /** The members that may be given sessions, with what they have as far as this server knows. */
    List<Member> targets(Set<UUID> except) {
        long seen = seenAt;
        return PlacementPolicy.targets(members, except, config.lostAfter(), placed, seen);
    }

    @Override
    public Server place(Map<String, String> requires) {
        Map<String, String> wanted = requires == null ? Map.of() : requires;
        Member chosen = targets(Set.of()).stream()
                .filter(member -> member.has(wanted))
                .min(PlacementPolicy.LEAST_LOADED)
                .orElseThrow(() -> nobody(wanted));
        placed.add(chosen.id(), 1, System.nanoTime());
        return new Server(chosen.id(), chosen.hostname());
    }

    private static Problem nobody(Map<String, String> requires) {
        Problem problem = new Problem(
                        ProblemType.UNAVAILABLE,
                        requires.isEmpty()
                                ? "No server of the fleet takes sessions right now"
                                : "No server that takes sessions right now has the labels that the session requires")
                .retryAfter(2);
        return requires.isEmpty() ? problem : problem.field("requires", "no server has these labels");
    }

    @Override
    public void refused(Server server) {
        members = members.stream()
                .filter(member -> !member.id().equals(server.id()))
                .toList();
    }

    /** Who takes the next batch that is handed over, and in which turns. */
    HandoverTargets share(Set<UUID> except) {
        return share(targets(except));
    }

    private HandoverTargets share(List<Member> all) {
        return PlacementPolicy.share(all, config.lostAfter());
    }

    /** The one that was asked for takes it, or nobody. */
    HandoverTargets only(UUID target) {
        return share(targets(Set.of()).stream()
                .filter(member -> member.id().equals(target))
                .toList());
    }

    /** The least loaded one that has the labels, and is not this one. */
    HandoverTargets leastLoaded(Map<String, String> requires, UUID except) {
        return share(targets(Set.of(except)).stream()
                .filter(member -> member.has(requires))
                .sorted(PlacementPolicy.LEAST_LOADED)
                .limit(1)
                .toList());
    }

    /** Counts what was handed over, until the targets have counted for themselves. */
    void placed(HandoverTargets targets, int sessions) {
        placed.add(targets, sessions, System.nanoTime());
    }

    void placed(UUID taker, int sessions) {
        placed.add(taker, sessions, System.nanoTime());
    }

    Member find(UUID id) {
        return members.stream()
                .filter(member -> member.id().equals(id))
                .findFirst()
                .orElse(null);
    }

    List<Member> members() {
        return members;
    }
}
