package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.Problem;
import ai.buildscale.agents.platform.ProblemType;
import ai.buildscale.agents.session.Ownership.Takers;
import ai.buildscale.agents.session.SessionHost;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.UUID;

/**
 * Where sessions go: to the least loaded server (sessions ÷ capacity) that takes sessions and has the labels. It looks
 * at the fleet as it was a moment ago, and adds what it has placed itself since; several servers that place at once
 * differ by what they place between two looks.
 */
@ApplicationScoped
class Placement implements SessionHost {
    /** Those that share what one statement hands over: the least loaded ones; more would only make it longer. */
    private static final int MOST_TAKERS = 16;

    private static final Comparator<Member> LEAST_LOADED =
            Comparator.comparingDouble(Placement::loadWithOneMore).thenComparing(Member::id);

    private final ServerConfig config;
    private final Membership self;
    private final PlacedLately placed = new PlacedLately();
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
    List<Member> takers(Set<UUID> except) {
        long seen = seenAt;
        return members.stream()
                .filter(member -> member.takes(config.lostAfter()) && !except.contains(member.id()))
                .map(member -> member.with(member.sessions() + placed.since(member.id(), member.countedAgo(), seen)))
                .toList();
    }

    @Override
    public Server place(Map<String, String> requires) {
        Map<String, String> wanted = requires == null ? Map.of() : requires;
        Member chosen = takers(Set.of()).stream()
                .filter(member -> member.has(wanted))
                .min(LEAST_LOADED)
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

    private static double loadWithOneMore(Member member) {
        return (member.sessions() + 1.0) / member.capacity();
    }

    /** Who takes the next batch that is handed over: each session goes to whoever is least loaded by then. */
    Takers share(Set<UUID> except) {
        return share(takers(except));
    }

    private Takers share(List<Member> all) {
        List<Member> chosen =
                all.stream().sorted(LEAST_LOADED).limit(MOST_TAKERS).toList();
        PriorityQueue<Member> queue = new PriorityQueue<>(LEAST_LOADED);
        queue.addAll(chosen);
        List<UUID> turns = new ArrayList<>();
        while (!queue.isEmpty() && turns.size() < Takers.BATCH) {
            Member next = queue.poll();
            turns.add(next.id());
            queue.add(next.with(next.sessions() + 1));
        }
        return new Takers(ServerRepository.ids(chosen), turns, config.lostAfter());
    }

    /** The one that was asked for takes it, or nobody. */
    Takers only(UUID target) {
        return share(takers(Set.of()).stream()
                .filter(member -> member.id().equals(target))
                .toList());
    }

    /** The least loaded one that has the labels, and is not this one. */
    Takers leastLoaded(Map<String, String> requires, UUID except) {
        return share(takers(Set.of(except)).stream()
                .filter(member -> member.has(requires))
                .sorted(LEAST_LOADED)
                .limit(1)
                .toList());
    }

    /** Counts what was handed over, until the takers have counted for themselves. */
    void placed(Takers takers, int sessions) {
        takers.turns().stream().limit(sessions).forEach(taker -> placed(taker, 1));
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
