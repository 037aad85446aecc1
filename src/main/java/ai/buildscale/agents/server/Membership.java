package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.session.AgentRuntime;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * This process as a member of the fleet: one row with a fresh id, whose lease it renews. It acts as an owner only while
 * it knows that its lease holds, by its own monotonic clock, counted from before the renewal was sent; and a little less
 * long than the others wait. Given up by the others, it stops at once and joins again as a new member. The scheduler
 * renews, also while the server drains; a timer renews after a failure, and where the scheduler does not: it rests until
 * all that waits for the schema has started, and when the wall clock is set back.
 */
@Startup // its metrics are there before the database is
@ApplicationScoped
class Membership {
    private static final Logger LOG = Logger.getLogger(Membership.class);
    private static final Duration FIRST_JOIN = Duration.ofSeconds(10);

    private final FailureLog failureLog = new FailureLog(Membership.class, "this server cannot renew its lease");
    private final ServerRepository servers;
    private final Presence presence;
    private final ServerLoad load;
    private final AgentRuntime agents;
    private final Vertx vertx;
    private final Jobs jobs;
    private final ServerConfig config;
    private final String version;
    private final String hostname;
    private final Map<String, String> labels;
    private final Counter fenced;
    private final Counter demoted;
    private final Lease lease;
    private volatile Uni<Void> joining;
    private volatile UUID candidate = Ids.next();
    private volatile UUID id = candidate;
    private volatile boolean joined;
    private volatile boolean leaving;
    private volatile String state = ServerState.ACTIVE.toString();
    private volatile Instant rebalanceAt;
    private volatile boolean failing;
    private volatile boolean started;
    private long timer = -1;

    Membership(
            ServerRepository servers,
            Presence presence,
            ServerLoad load,
            AgentRuntime agents,
            Vertx vertx,
            Jobs jobs,
            ServerConfig config,
            @ConfigProperty(name = "quarkus.application.version") String version,
            MeterRegistry metrics) {
        this.servers = servers;
        this.presence = presence;
        this.load = load;
        this.agents = agents;
        this.vertx = vertx;
        this.jobs = jobs;
        this.config = config;
        this.lease = new Lease(config, System.nanoTime());
        this.version = version;
        this.hostname = config.hostname().orElseGet(Membership::machineName);
        this.labels = labels(config.labels().orElse(List.of()));
        this.fenced = metrics.counter("server.fenced");
        this.demoted = metrics.counter("server.demoted");
        Gauge.builder("server.owns", this, member -> member.leaseHolds() ? 1 : 0)
                .description("1 while this server may act as the owner of its sessions")
                .register(metrics);
        Gauge.builder("server.lease.age", () -> lease.age(System.nanoTime()).toNanos() / 1e9)
                .description("since this server last renewed its lease")
                .baseUnit("seconds")
                .register(metrics);
        check(config);
    }

    private static void check(ServerConfig config) {
        if (config.leaseRenewal().compareTo(Lease.JITTER) < 0) {
            throw new IllegalArgumentException("server.lease-renewal (" + config.leaseRenewal()
                    + ") must be a second at least, because the scheduler looks once a second");
        }
        if (!Lease.isLongEnough(config.leaseRenewal(), config.lostAfter())) {
            LOG.warnf(
                    "server.lost-after (%s) is too short for server.lease-renewal (%s), which may come a second late:"
                            + " servers that live will be given up",
                    config.lostAfter(), config.leaseRenewal());
        }
    }

    private static Map<String, String> labels(List<String> pairs) {
        Map<String, String> labels = new HashMap<>();
        for (String pair : pairs) {
            int equals = pair.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("server.labels must look like gpu=true,zone=a, not " + pair);
            }
            labels.put(
                    pair.substring(0, equals).strip(),
                    pair.substring(equals + 1).strip());
        }
        return Map.copyOf(labels);
    }

    private static String machineName() {
        String name = System.getenv("HOSTNAME");
        if (name != null && !name.isBlank()) {
            return name;
        }
        try {
            return java.net.InetAddress.getLocalHost().getHostName();
        } catch (java.net.UnknownHostException e) {
            return "unknown";
        }
    }

    UUID id() {
        return id;
    }

    /** A {@link ServerState}, or one that a newer server gave it. */
    String state() {
        return state;
    }

    /** When an operator last asked for a rebalancing; null if never. */
    Instant rebalanceAt() {
        return rebalanceAt;
    }

    private boolean leaseHolds() {
        return joined && lease.holds(System.nanoTime());
    }

    /** Whether it may act as the owner of its sessions now. */
    boolean owns() {
        boolean owns = leaseHolds();
        if (!owns && lease.giveUp()) {
            demoted.increment();
            LOG.warnf("server %s does not act as an owner any more: its lease has not been renewed", id);
            agents.abandonAll();
        }
        return owns;
    }

    void start(@Observes @Priority(100) Migrations.Applied event) {
        started = true;
        try {
            join().await().atMost(FIRST_JOIN);
        } catch (RuntimeException e) {
            // the timer tries again; what else waits for the schema starts all the same
            failing = true;
            failureLog.met(e);
        }
        setTimer();
    }

    @Scheduled(every = "${server.lease-renewal:2s}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return jobs.run("lease", config.leaseRenewal(), this::renewInTime);
    }

    private Uni<Void> renewInTime() {
        return leaving
                ? Uni.createFrom().voidItem()
                : Uni.createFrom()
                        .deferred(this::runOnce)
                        .onFailure()
                        .recoverWithNull()
                        .invoke(this::setTimer);
    }

    /** There is one timer: it is set anew at the end of each renewal, whoever has called for that. */
    private synchronized void setTimer() {
        vertx.cancelTimer(timer);
        if (!leaving) {
            timer = vertx.setTimer(
                    lease.pause(failing, System.nanoTime()).toMillis(),
                    _ -> tick().subscribe().with(_ -> {}, failureLog::met));
        }
    }

    /** Renews the lease, or joins if it has none. */
    Uni<Void> runOnce() {
        owns();
        return (joined ? checked().chain(this::renew) : join())
                .ifNoItem()
                .after(lease.patience())
                .fail()
                .invoke(() -> {
                    failing = false;
                    failureLog.over();
                })
                .onFailure()
                .invoke(e -> {
                    if (!leaving) {
                        failing = true;
                        owns();
                        failureLog.met(e);
                    }
                });
    }

    /** A slow look at the presence lock must not keep the renewal from going out. */
    private Uni<Void> checked() {
        return presence.check()
                .ifNoItem()
                .after(lease.patience().dividedBy(2))
                .recoverWithUni(() -> Uni.createFrom().voidItem());
    }

    /** One attempt at a time; its answer counts also if it comes when it is not waited for any more. */
    private synchronized Uni<Void> join() {
        if (leaving) {
            return Uni.createFrom().voidItem();
        }
        if (joining == null) {
            joining = attempt()
                    .onTermination()
                    .invoke(() -> joining = null)
                    .memoize()
                    .indefinitely();
        }
        return joining;
    }

    private Uni<Void> attempt() {
        // tried again under the same id: an attempt that nobody waited for may have come through
        UUID fresh = candidate;
        long sent = System.nanoTime();
        return servers.join(fresh, hostname, config, version, labels, state)
                .invoke(accepted -> {
                    candidate = Ids.next();
                    if (accepted) {
                        joined(fresh, sent);
                    }
                })
                .replaceWithVoid();
    }

    private void joined(UUID fresh, long sent) {
        if (leaving) {
            servers.leave(fresh).subscribe().with(_ -> {}, failureLog::met);
            return;
        }
        id = fresh;
        joined = true;
        rebalanceAt = null;
        load.restart(fresh);
        renewed(sent);
        LOG.infof("server %s on %s joins the fleet", fresh, hostname);
        presence.hold(fresh, () -> renewAgain(fresh));
    }

    /** The presence lock has come or gone: the others must know at once. */
    private void renewAgain(UUID member) {
        if (joined && member.equals(id)) {
            renew().subscribe().with(_ -> {}, failureLog::met);
        }
    }

    private Uni<Void> renew() {
        UUID member = id;
        long sent = System.nanoTime();
        return servers.renew(member, load.now(), presence.isHeld())
                .invoke(renewed -> {
                    if (renewed != null && isStill(member)) {
                        accepted(renewed, sent);
                    }
                })
                // an answer counts also if it comes when it is not waited for any more
                .memoize()
                .indefinitely()
                .chain(renewed -> renewed == null && isStill(member)
                        ? fencedOff(member)
                        : Uni.createFrom().voidItem());
    }

    private boolean isStill(UUID member) {
        return joined && member.equals(id) && !leaving;
    }

    private void accepted(ServerRepository.Renewed renewed, long sent) {
        if (lease.isNewest(sent)) {
            state = renewed.state();
            rebalanceAt = renewed.rebalanceAt();
        }
        renewed(sent);
        load.refresh();
    }

    private void renewed(long sent) {
        boolean gained = lease.renewed(sent, System.nanoTime());
        // so that ownership ends in time even if nobody asks
        vertx.setTimer(lease.left(System.nanoTime()).toMillis() + 1, _ -> owns());
        if (gained) {
            agents.ownershipChanged();
        }
    }

    /** Whether its own presence lock has been held for so long. */
    boolean isPresentFor(Duration atLeast) {
        return presence.isHeldFor(atLeast);
    }

    /** For how long it has owned without a break; zero if it does not. */
    Duration ownsFor() {
        return owns() ? lease.ownedFor(System.nanoTime()) : Duration.ZERO;
    }

    private Uni<Void> fencedOff(UUID member) {
        if (!joined) {
            return Uni.createFrom().voidItem();
        }
        joined = false;
        lease.giveUp();
        fenced.increment();
        LOG.warnf(
                "server %s is fenced: the others have given it up; what it owned is theirs, and it joins again",
                member);
        agents.abandonAll();
        return join();
    }

    /** Its lease is given up; whatever it still owns is for the others to take. */
    Uni<Void> leave() {
        leaving = true;
        presence.stop();
        setTimer();
        if (!started) {
            return Uni.createFrom().voidItem();
        }
        // an attempt to join whose answer has not come may have come through
        UUID member = joined ? id : candidate;
        joined = false;
        lease.giveUp();
        return servers.leave(member);
    }
}
