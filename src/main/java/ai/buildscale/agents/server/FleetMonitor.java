package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.schedule.FixedDelayTimer;
import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.server.FailureDetector.Suspects;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.Startup;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.interceptor.Interceptor;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jboss.logging.Logger;

/**
 * Watches the fleet a few times a second and declares servers lost: those whose lease has run out, or whose connection
 * to Postgres has been gone for two looks in a row. No server is judged until this server has itself seen the database
 * steadily for longer than the others need to renew: after an outage all leases look old. Declaring a live server lost
 * is safe, because its writes are fenced; it only wastes work. A timer looks, as the scheduler looks once a second.
 */
@Startup // its metrics are there before the database is
@ApplicationScoped
class FleetMonitor {
    private static final Logger LOG = Logger.getLogger(FleetMonitor.class);
    private static final Duration FIRST_LOOK = Duration.ofSeconds(10);
    private static final Duration LAST_LOOK = Duration.ofSeconds(1);

    private final FailureLog failureLog = new FailureLog(FleetMonitor.class, "this server does not see the fleet");
    private final ServerRepository servers;
    private final Membership self;
    private final Placement placement;
    private final Recovery recovery;
    private final Drain drain;
    private final Vertx vertx;
    private final ServerConfig config;
    private final Jobs jobs;
    private final Counter lostByLease;
    private final Counter lostByConnection;
    private final FailureDetector detector;
    private volatile int orphaning;
    private volatile boolean looked;
    private volatile boolean seeing;
    private volatile FixedDelayTimer timer;
    private final SingleFlight looking;

    FleetMonitor(
            ServerRepository servers,
            Membership self,
            Placement placement,
            Recovery recovery,
            Drain drain,
            Vertx vertx,
            ServerConfig config,
            Jobs jobs,
            MeterRegistry metrics) {
        this.servers = servers;
        this.self = self;
        this.placement = placement;
        this.recovery = recovery;
        this.drain = drain;
        this.vertx = vertx;
        // runOnce reports its failures itself
        this.looking = SingleFlight.onLoop(vertx, this::runOnce, _ -> {});
        this.config = config;
        this.jobs = jobs;
        this.lostByLease = metrics.counter("fleet.servers.lost", "reason", "lease_expired");
        this.lostByConnection = metrics.counter("fleet.servers.lost", "reason", "connection_lost");
        Gauge.builder("server.ready", this, fleet -> fleet.isReady() ? 1 : 0)
                .description("1 while this server sees the database and the fleet, and does not drain")
                .register(metrics);
        this.detector = new FailureDetector(config, System.nanoTime());
        Gauge.builder(
                        "fleet.servers",
                        placement,
                        fleet -> fleet.members().stream()
                                .filter(member -> !member.isGone())
                                .count())
                .description("members that are not gone")
                .register(metrics);
        Gauge.builder("fleet.servers.orphaning", this, fleet -> fleet.orphaning)
                .description("servers that are gone and still own live sessions")
                .register(metrics);
    }

    void start(@Observes @Priority(200) Migrations.Applied event) {
        try {
            runOnce().await().atMost(FIRST_LOOK);
        } catch (RuntimeException e) {
            failureLog.met(e);
        }
        timer = FixedDelayTimer.start(vertx, detector::pause, this::runOnce);
    }

    /** After {@link Drain}, which needs to see who may take what is left. */
    void stop(@Observes @Priority(Interceptor.Priority.LIBRARY_AFTER) ShutdownEvent event) {
        if (timer != null) {
            // or it finds that its pool is closed
            timer.stop()
                    .ifNoItem()
                    .after(LAST_LOOK)
                    .recoverWithItem((Void) null)
                    .await()
                    .indefinitely();
        }
    }

    /** Some server was told what to do. If it is this one it does so at once, others see it at their next look. */
    void lookSoon() {
        looking.triggerIfIdle();
    }

    /** One look at the fleet, and what follows from it. */
    Uni<Void> runOnce() {
        return servers.members()
                .invoke(this::seen)
                .chain(this::judge)
                .invoke(this::act)
                .replaceWithVoid()
                .onFailure()
                .invoke(e -> {
                    seeing = false;
                    detector.blind(System.nanoTime());
                    failureLog.met(e);
                })
                .onFailure()
                .recoverWithNull();
    }

    private void seen(List<Member> fleet) {
        failureLog.over();
        detector.seen(fleet.size(), System.nanoTime());
        placement.update(fleet);
        looked = true;
        seeing = true;
    }

    private boolean isReady() {
        return seeing && !drain.isDraining();
    }

    /** Whether it has ever seen who is there. */
    boolean hasLooked() {
        return looked;
    }

    private Uni<List<Member>> judge(List<Member> fleet) {
        UUID me = self.id();
        boolean present = self.isPresentFor(detector.enough());
        Suspects suspects = detector.judge(fleet, me, self.ownsFor(), present, System.nanoTime());
        if (suspects.none()) {
            return Uni.createFrom().item(fleet);
        }
        return servers.declareLost(me, suspects.byLease(), suspects.byConnection(), config.lostAfter())
                .invoke(lost -> lost.forEach(one -> lost(one, suspects.byLease().contains(one))))
                .chain(lost -> lost.isEmpty() ? Uni.createFrom().item(fleet) : servers.members())
                .invoke(placement::update);
    }

    private void lost(UUID server, boolean byLease) {
        (byLease ? lostByLease : lostByConnection).increment();
        LOG.warnf(
                "server %s is lost (%s); its sessions go to the others",
                server, byLease ? "lease_expired" : "connection_lost");
    }

    private void act(List<Member> fleet) {
        Set<UUID> sources = Recovery.sources(fleet);
        orphaning = (int) fleet.stream().filter(Member::holds).count();
        if (!sources.isEmpty() && self.owns()) {
            recovery.begin(sources);
        }
        Member me = placement.find(self.id());
        if (me != null && WireEnum.is(ServerState.DRAINING, me.state())) {
            drain.begin();
        } else if (me != null) {
            drain.end();
        }
    }

    /** Whether sessions wait for another owner: nothing is moved for balance meanwhile. */
    boolean isRecovering() {
        return orphaning > 0 || recovery.isRunning();
    }

    @Scheduled(every = "${server.forget-interval}")
    Uni<Void> tick() {
        return jobs.run("servers-forgotten", config.forgetInterval(), this::forget);
    }

    private Uni<Void> forget() {
        return servers.forget(config.forgetAfter())
                .replaceWithVoid()
                .onFailure()
                .recoverWithNull();
    }
}
