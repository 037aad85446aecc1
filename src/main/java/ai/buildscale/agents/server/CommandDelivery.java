package ai.buildscale.agents.server;

import ai.buildscale.agents.event.Wake;
import ai.buildscale.agents.event.WakeUps;
import ai.buildscale.agents.platform.Migrations;
import ai.buildscale.agents.platform.Sweeps;
import ai.buildscale.agents.platform.Trouble;
import ai.buildscale.agents.session.HostedAgents;
import ai.buildscale.agents.session.Order;
import ai.buildscale.agents.session.Ownership;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * The owner's work: takes the commands for its sessions when a wake-up names this server, has them carried out, and says
 * so. A wake-up that is lost costs a second. What an owner does not do in time, any server does without it.
 */
@ApplicationScoped
class CommandDelivery {
    private static final Logger LOG = Logger.getLogger(CommandDelivery.class);
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final Duration LATE_INTERVAL = Duration.ofSeconds(1);
    private static final int BATCH = 500;

    /** What this server, as the member that it was then, has carried out. */
    private record Done(UUID server, Order order) {}

    private final Trouble trouble = new Trouble(CommandDelivery.class, "commands are not taken");
    private final Ownership ownership;
    private final Membership self;
    private final HostedAgents agents;
    private final Migration migration;
    private final Sweeps sweeps;
    private final Vertx vertx;
    private final Counter fenced;
    private final Set<UUID> working = ConcurrentHashMap.newKeySet();
    private final Queue<Done> done = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean saying = new AtomicBoolean();
    private final AtomicBoolean taking = new AtomicBoolean();
    private volatile boolean again;

    CommandDelivery(
            Ownership ownership,
            Membership self,
            HostedAgents agents,
            Migration migration,
            Sweeps sweeps,
            Vertx vertx,
            WakeUps wakeUps,
            MeterRegistry metrics) {
        this.ownership = ownership;
        this.self = self;
        this.agents = agents;
        this.migration = migration;
        this.sweeps = sweeps;
        this.vertx = vertx;
        this.fenced = metrics.counter("server.writes.fenced");
        wakeUps.listen(this::woken);
    }

    void start(@Observes @Priority(300) Migrations.Applied event) {
        vertx.setPeriodic(POLL.toMillis(), _ -> take());
    }

    private void woken(Wake wake) {
        if (wake.concerns(self.id())) {
            agents.ownershipChanged();
            take();
        }
    }

    private void take() {
        again = true;
        if (self.owns() && taking.compareAndSet(false, true)) {
            vertx.runOnContext(_ -> next());
        }
    }

    private void next() {
        again = false;
        ownership.deliver(self.id()).subscribe().with(this::taken, e -> {
            trouble.met(e);
            taking.set(false);
        });
    }

    private void taken(List<Order> orders) {
        trouble.over();
        if (!orders.isEmpty()) {
            carryOut(self.id(), orders);
            next();
            return;
        }
        taking.set(false);
        if (again) {
            take();
        }
    }

    /** An agent that takes its time to stop holds up nobody else's command; who is at it already is not told again. */
    private void carryOut(UUID server, List<Order> orders) {
        for (Order order : orders) {
            UUID id = order.command().id();
            if (working.add(id)) {
                Uni<Void> work = order.isMigration()
                        ? migration.carryOut(server, order)
                        : agents.obey(order).invoke(() -> done.add(new Done(server, order)));
                work.onTermination()
                        .invoke(() -> working.remove(id))
                        .subscribe()
                        .with(
                                _ -> say(),
                                e -> LOG.warnf(
                                        "session %s: its %s was not carried out, and is tried again: %s",
                                        order.command().sessionId(),
                                        order.command().command(),
                                        e));
            }
        }
    }

    /** Marks what has been carried out, as much as there is in one statement. */
    private void say() {
        if (!done.isEmpty() && saying.compareAndSet(false, true)) {
            vertx.runOnContext(_ -> sayAll());
        }
    }

    private void sayAll() {
        List<Done> batch = new ArrayList<>();
        UUID server = done.isEmpty() ? null : done.peek().server();
        while (batch.size() < BATCH && !done.isEmpty() && done.peek().server().equals(server)) {
            batch.add(done.poll());
        }
        if (batch.isEmpty()) {
            saying.set(false);
            return;
        }
        List<Order> orders = batch.stream().map(Done::order).toList();
        ownership
                .applied(
                        server,
                        orders.stream().map(order -> order.command().id()).toList())
                .subscribe()
                .with(mine -> said(orders, mine), e -> {
                    trouble.met(e);
                    saying.set(false);
                });
    }

    private void said(List<Order> orders, List<Order> mine) {
        fencedOff(orders, mine);
        saying.set(false);
        say();
    }

    private void fencedOff(List<Order> orders, List<Order> mine) {
        if (mine.size() < orders.size()) {
            var kept = mine.stream().map(order -> order.command().id()).collect(Collectors.toSet());
            var told = mine.stream().map(order -> order.command().sessionId()).collect(Collectors.toSet());
            orders.stream()
                    .filter(order -> !kept.contains(order.command().id()))
                    .forEach(order -> {
                        if (told.contains(order.command().sessionId())) {
                            // there were more for this session than one statement says
                            done.add(new Done(self.id(), order));
                            return;
                        }
                        fenced.increment();
                        UUID session = order.command().sessionId();
                        LOG.warnf(
                                "session %s is fenced: server %s does not own it with epoch %d any more",
                                session,
                                order.command().serverId(),
                                order.command().epoch());
                        agents.abandon(session);
                    });
        }
    }

    @Scheduled(every = "1s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("late-commands", LATE_INTERVAL, this::runOnce);
    }

    /** Does what owners have not done in time; emits how much that was. */
    Uni<Integer> runOnce() {
        return ownership
                .fenceCancelled()
                .invoke(ended -> ended.forEach(order -> LOG.warnf(
                        "session %s is fenced with epoch %d: server %s did not carry out its %s in time",
                        order.command().sessionId(),
                        order.command().epoch(),
                        order.command().serverId(),
                        order.command().command())))
                .map(List::size)
                .chain(n -> migration.carryOutLate().map(late -> n + late));
    }
}
