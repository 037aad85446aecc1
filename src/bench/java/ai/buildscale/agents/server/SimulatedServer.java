package ai.buildscale.agents.server;

import ai.buildscale.agents.bench.simulation.Agenda;
import ai.buildscale.agents.bench.simulation.Cost;
import ai.buildscale.agents.bench.simulation.Postgres;
import ai.buildscale.agents.server.FailureDetector.Suspects;
import ai.buildscale.agents.server.RebalancePolicy.PlannedMove;
import ai.buildscale.agents.server.SimulatedTable.Row;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** One server of a {@link SimulatedFleet}: when it asks Postgres for what, and what it does with the answer. */
final class SimulatedServer {
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final SimulatedFleet fleet;
    private final Agenda agenda;
    private final Postgres postgres;
    private final ServerConfig config;
    private final FailureDetector detector;
    private final Lease lease;
    private final SimulatedListener listener;
    private final RecentPlacements placed = new RecentPlacements();
    private Row row;
    private boolean alive = true;
    private List<Member> members = List.of();
    private long seenAt;
    private int orphaning;
    private boolean recovering;
    private long batches;
    private boolean counting;
    private long sessions;
    private double average = Double.NaN;
    private long countedAt;
    private long countedFrom;
    private long countRest;
    private long balanceAt;
    private int balanceRest = 1;
    private int polls;

    SimulatedServer(SimulatedFleet fleet) {
        this.fleet = fleet;
        this.agenda = fleet.agenda();
        this.postgres = fleet.postgres();
        this.config = fleet.config();
        this.detector = new FailureDetector(config, agenda.now());
        this.lease = new Lease(config, agenda.now());
        this.listener = new SimulatedListener(fleet, this);
        join();
    }

    private void join() {
        row = fleet.table().add(fleet.nextId(), agenda.now());
        row.watched = true;
        row.present = true;
        average = Double.NaN;
        sessions = 0;
        countedAt = 0;
        countRest = 0;
        renewed(agenda.now());
    }

    void start() {
        renew();
        look();
        balanceAt = agenda.now() + config.rebalanceInterval().toNanos();
        agenda.in(SECOND, this::balance);
        agenda.at(agenda.now() + fleet.within(SECOND.toNanos()), this::poll);
    }

    boolean isAlive() {
        return alive;
    }

    int number() {
        return row.number;
    }

    UUID id() {
        return row.id;
    }

    long batches() {
        return batches;
    }

    long read() {
        return listener.read();
    }

    void kill() {
        alive = false;
        row.present = false;
    }

    void stop() {
        alive = false;
    }

    void woken(Set<UUID> concerned) {
        listener.woken(concerned);
    }

    /** Commits so many changes a second, each of a session of some server. */
    void change(double perSecond) {
        long pause = (long) (1e9 / perSecond);
        agenda.at(agenda.now() + fleet.within(2 * pause), () -> {
            if (alive && !members.isEmpty()) {
                fleet.appended(1);
                listener.tell(Set.of(
                        members.get(fleet.random().nextInt(members.size())).id()));
                change(perSecond);
            }
        });
    }

    boolean owns() {
        boolean owns = lease.holds(agenda.now());
        if (!owns && lease.giveUp()) {
            fleet.told().demoted++;
        }
        return owns;
    }

    /** As {@code Membership}: the presence lock is looked after, then the lease. */
    private void renew() {
        if (!alive) {
            return;
        }
        owns();
        long limit = agenda.now() + lease.patience().toNanos();
        AtomicBoolean over = new AtomicBoolean();
        agenda.at(limit, () -> {
            if (over.compareAndSet(false, true)) {
                owns();
                agenda.in(lease.pause(true, agenda.now()), this::renew);
            }
        });
        postgres.execute(
                Cost.PRESENCE,
                1,
                Cost.PRESENCE.micros(1),
                () -> {
                    if (!over.get() && alive) {
                        renewLease(over);
                    }
                },
                () -> {});
    }

    private void renewLease(AtomicBoolean over) {
        long sent = agenda.now();
        Row mine = row;
        long counted = sessions;
        double load = Double.isNaN(average) ? 0 : average;
        long countedAgo = countedAt == 0 ? 0 : sent - countedFrom;
        postgres.execute(
                Cost.RENEW,
                1,
                Cost.RENEW.micros(1),
                () -> {
                    if (!mine.isLost()) {
                        mine.renewedAt = agenda.now();
                        mine.sessions = counted;
                        mine.load = load;
                        mine.countedAt = agenda.now() - countedAgo;
                    }
                    if (alive && over.compareAndSet(false, true)) {
                        if (mine.isLost()) {
                            fleet.told().fenced++;
                            lease.giveUp();
                            join();
                        } else {
                            renewed(sent);
                            count();
                        }
                        agenda.in(config.leaseRenewal(), this::renew);
                    } else if (alive && mine == row && !mine.isLost()) {
                        // an answer that comes late counts all the same
                        renewed(sent);
                    }
                },
                () -> {});
    }

    private void renewed(long sent) {
        lease.renewed(sent, agenda.now());
    }

    /** As {@code ServerLoad}. */
    private void count() {
        long begun = agenda.now();
        if (counting || (countedAt != 0 && begun - countedAt <= countRest)) {
            return;
        }
        counting = true;
        Row mine = row;
        long found = fleet.sessions().count(mine.number);
        postgres.execute(
                Cost.COUNT,
                1,
                Cost.COUNT.micros(found),
                () -> {
                    counting = false;
                    if (mine == row) {
                        counted(found, begun);
                    }
                },
                () -> counting = false);
    }

    private void counted(long found, long begun) {
        long now = agenda.now();
        double load = (double) found / config.capacity();
        average = Double.isNaN(average)
                ? load
                : ServerLoad.smoothed(average, load, now - countedAt, config.rebalanceInterval());
        sessions = found;
        countedAt = now;
        countedFrom = begun;
        countRest = ServerLoad.restNanos(config.leaseRenewal(), now - begun);
    }

    /** As {@code FleetMonitor}. */
    private void look() {
        if (!alive) {
            return;
        }
        members(found -> {
            detector.seen(found.size(), agenda.now());
            seen(found);
            judge();
        });
    }

    private void members(Consumer<List<Member>> then) {
        List<Member> found = fleet.table().members(agenda.now());
        postgres.execute(
                Cost.LOOK,
                1,
                Cost.LOOK.micros(found.size()),
                () -> {
                    if (alive) {
                        then.accept(found);
                    }
                },
                () -> {
                    detector.blind(agenda.now());
                    lookLater();
                });
    }

    private void seen(List<Member> found) {
        members = found;
        seenAt = agenda.now();
        placed.keep(Set.copyOf(ServerRepository.ids(found)));
    }

    private void judge() {
        Duration ownsFor = owns() ? lease.ownedFor(agenda.now()) : Duration.ZERO;
        Suspects suspects = detector.judge(members, row.id, ownsFor, true, agenda.now());
        if (suspects.none()) {
            act();
            return;
        }
        postgres.execute(
                Cost.DECLARE,
                1,
                Cost.DECLARE.micros(
                        suspects.byLease().size() + suspects.byConnection().size()),
                () -> {
                    if (fleet.declareLost(suspects) == 0) {
                        act();
                    } else if (alive) {
                        members(found -> {
                            seen(found);
                            act();
                        });
                    }
                },
                this::lookLater);
    }

    private void act() {
        orphaning = (int) members.stream().filter(Member::holds).count();
        Set<UUID> sources = Recovery.sources(members);
        if (!sources.isEmpty() && owns() && !recovering) {
            recovering = true;
            recover(List.copyOf(sources));
        }
        lookLater();
    }

    private void lookLater() {
        agenda.in(detector.pause(), this::look);
    }

    /** As {@code Recovery}: batches until one is empty. */
    private void recover(List<UUID> gone) {
        HandoverTargets targets = PlacementPolicy.share(considered(Set.copyOf(gone)), config.lostAfter());
        if (targets.isEmpty() || !alive) {
            recovering = false;
            return;
        }
        fleet.handOver(
                gone,
                targets,
                HandoverTargets.BATCH,
                handed -> {
                    if (handed == 0) {
                        recovering = false;
                        return;
                    }
                    batches++;
                    fleet.told().recovered += handed;
                    fleet.told().lastRecovered = agenda.seconds();
                    told(targets, handed);
                    recover(gone);
                },
                () -> recovering = false);
    }

    private void told(HandoverTargets targets, int handed) {
        if (!alive) {
            return;
        }
        placed.add(targets, handed, agenda.now());
        listener.tell(new HashSet<>(
                targets.turns().subList(0, Math.min(handed, targets.turns().size()))));
    }

    private List<Member> considered(Set<UUID> except) {
        List<Member> targets = PlacementPolicy.targets(members, except, config.lostAfter(), placed, seenAt);
        int sample = fleet.options().sample();
        if (sample == 0 || sample >= targets.size()) {
            return targets;
        }
        List<Member> drawn = new ArrayList<>(targets);
        for (int i = 0; i < sample; i++) {
            Collections.swap(drawn, i, i + fleet.random().nextInt(drawn.size() - i));
        }
        return drawn.subList(0, sample);
    }

    /** As {@code Rebalancing}. */
    private void balance() {
        if (!alive) {
            return;
        }
        if (!owns() || agenda.now() - balanceAt < 0) {
            agenda.in(SECOND, this::balance);
            return;
        }
        List<PlannedMove> mine = List.of();
        if (orphaning == 0 && !recovering) {
            List<Member> targets = PlacementPolicy.targets(members, Set.of(), config.lostAfter(), placed, seenAt);
            mine = RebalancePolicy.plan(Rebalancing.candidates(targets, Member::load)).stream()
                    .filter(move -> move.from().equals(row.id))
                    .toList();
        }
        int planned = mine.stream().mapToInt(PlannedMove::sessions).sum();
        give(mine.iterator(), planned, 0);
    }

    private void give(Iterator<PlannedMove> moves, int planned, int moved) {
        if (!moves.hasNext()) {
            balanceRest = RebalancePolicy.rest(balanceRest, planned, moved);
            balanceAt = agenda.now() + config.rebalanceInterval().toNanos() * balanceRest;
            agenda.in(SECOND, this::balance);
            return;
        }
        PlannedMove move = moves.next();
        give(moves, planned, moved, move.to(), move.sessions());
    }

    private void give(Iterator<PlannedMove> moves, int planned, int moved, UUID to, int left) {
        HandoverTargets one = new HandoverTargets(List.of(to), List.of(to), config.lostAfter());
        fleet.handOver(
                List.of(row.id),
                one,
                Math.min(left, HandoverTargets.BATCH),
                handed -> {
                    if (handed > 0) {
                        rebalanced(handed);
                        told(one, handed);
                    }
                    if (handed == 0 || handed >= left) {
                        give(moves, planned, moved + handed);
                    } else {
                        give(moves, planned, moved + handed, to, left - handed);
                    }
                },
                () -> agenda.in(SECOND, this::balance));
    }

    private void rebalanced(int handed) {
        SimulatedFleet.Told told = fleet.told();
        told.rebalanced += handed;
        told.lastRebalanced = agenda.seconds();
        int cycle = (int) (agenda.now() / config.rebalanceInterval().toNanos());
        while (told.perCycle.size() <= cycle) {
            told.perCycle.add(0);
        }
        told.perCycle.set(cycle, told.perCycle.get(cycle) + handed);
    }

    /** What every server asks in each second, whether or not there is anything to do. */
    private void poll() {
        if (!alive) {
            return;
        }
        polls++;
        postgres.execute(Cost.POLL, 4, Cost.POLL.micros(1), () -> {}, () -> {});
        // late commands; each other second hosts elsewhere; each fifth sessions and chats
        int claims = 1 + (polls % 2 == 0 ? 1 : 0) + (polls % 5 == 0 ? 2 : 0);
        postgres.execute(Cost.CLAIM, claims, Cost.CLAIM.micros(1) * claims, () -> {}, () -> {});
        listener.poll();
        agenda.in(SECOND, this::poll);
    }
}
