package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.server.RebalancePolicy.Candidate;
import ai.buildscale.agents.server.RebalancePolicy.PlannedMove;
import ai.buildscale.agents.session.Ownership;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Hands over the sessions that this server has above its share, by {@link RebalancePolicy}: now and then, and at once
 * when an operator asks. Nothing is moved while sessions wait to be recovered. Where it does not help (what it could
 * give nobody may take), it rests longer and longer.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Rebalancing {
    private static final Logger LOG = Logger.getLogger(Rebalancing.class);
    private static final Duration LOOK = Duration.ofSeconds(1);

    private final Placement placement;
    private final FleetMonitor fleet;
    private final Membership self;
    private final Ownership ownership;
    private final Drain drain;
    private final Jobs jobs;
    private final ServerConfig config;
    private final Counter migrated;
    private long nextAt = System.nanoTime();
    private int rest = 1;
    private Instant answered;

    Rebalancing(
            Placement placement,
            FleetMonitor fleet,
            Membership self,
            Ownership ownership,
            Drain drain,
            Jobs jobs,
            ServerConfig config,
            MeterRegistry metrics) {
        this.placement = placement;
        this.fleet = fleet;
        this.self = self;
        this.ownership = ownership;
        this.drain = drain;
        this.jobs = jobs;
        this.config = config;
        this.migrated = metrics.counter("server.migrated", "reason", "rebalance");
    }

    /**
     * The moves of a cycle, in the whole fleet.
     *
     * @param reason why there is nothing to move, or null
     */
    record Plan(List<PlannedMove> moves, String reason) {}

    /** What the servers would move if an operator asked now: by what they have, not by what they have had for a while. */
    Plan planNow() {
        return plan(member -> (double) member.sessions() / member.capacity());
    }

    private Plan plan(ToDoubleFunction<Member> load) {
        if (fleet.isRecovering()) {
            return new Plan(List.of(), "sessions of servers that are gone are being recovered");
        }
        List<PlannedMove> moves = RebalancePolicy.plan(candidates(placement.targets(Set.of()), load));
        return new Plan(moves, moves.isEmpty() ? "every server is within the dead band around its share" : null);
    }

    static List<Candidate> candidates(List<Member> targets, ToDoubleFunction<Member> load) {
        return targets.stream()
                .map(member -> new Candidate(
                        member.id(), member.sessions(), member.capacity(), load.applyAsDouble(member), true))
                .toList();
    }

    void start(@Observes @Priority(400) Migrations.Applied event) {
        nextAt = System.nanoTime() + config.rebalanceInterval().toNanos();
        tick().subscribe().with(_ -> {}, _ -> {});
    }

    @Scheduled(every = "1s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return jobs.run("rebalancing", LOOK, () -> runOnce().onFailure().recoverWithNull());
    }

    /** Gives away this server's part of the plan, if it is time to or an operator has asked. */
    Uni<Void> runOnce() {
        Instant asked = self.rebalanceAt();
        boolean wanted = asked != null && !asked.equals(answered);
        boolean due = config.rebalance() && System.nanoTime() - nextAt >= 0;
        if (!self.owns() || drain.isDraining() || !WireEnum.is(ServerState.ACTIVE, self.state()) || !(wanted || due)) {
            return Uni.createFrom().voidItem();
        }
        UUID me = self.id();
        Plan plan = wanted ? planNow() : plan(Member::load);
        List<PlannedMove> mine =
                plan.moves().stream().filter(move -> move.from().equals(me)).toList();
        int planned = mine.stream().mapToInt(PlannedMove::sessions).sum();
        return Multi.createFrom()
                .iterable(mine)
                .onItem()
                .transformToUniAndConcatenate(move -> give(me, move))
                .collect()
                .with(Collectors.summingInt(Integer::intValue))
                .invoke(moved -> {
                    answered = asked;
                    moved(me, planned, moved);
                })
                .replaceWithVoid()
                .onFailure()
                .invoke(e -> LOG.warnf("server %s could not give sessions away for balance: %s", me, e));
    }

    private Uni<Integer> give(UUID me, PlannedMove move) {
        HandoverTargets one = new HandoverTargets(List.of(move.to()), List.of(move.to()), config.lostAfter());
        return give(me, one, move.sessions());
    }

    private Uni<Integer> give(UUID me, HandoverTargets one, int sessions) {
        int batch = Math.min(sessions, HandoverTargets.BATCH);
        return ownership.handOver(me, one, "rebalance", batch).chain(handed -> {
            placement.placed(one.servers().getFirst(), handed.sessions());
            int left = sessions - handed.sessions();
            return handed.sessions() == 0 || left <= 0
                    ? Uni.createFrom().item(handed.sessions())
                    : give(me, one, left).map(more -> more + handed.sessions());
        });
    }

    private void moved(UUID me, int planned, int moved) {
        rest = RebalancePolicy.rest(rest, planned, moved);
        nextAt = System.nanoTime()
                + config.rebalanceInterval().multipliedBy(rest).toNanos();
        if (moved > 0) {
            migrated.increment(moved);
            LOG.infof("server %s gave away %d of %d sessions for balance", me, moved, planned);
        }
    }
}
