package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.session.Ownership;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.UUID;

/**
 * Measures this server's load: its sessions, their open work, and the moving average. They are counted anew at most as
 * often as the lease is renewed, and so seldom that counting takes a twentieth of the time at most.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class ServerLoad {
    private static final long TIMES_THE_COUNT = 20;

    private final Ownership ownership;
    private final ServerConfig config;
    private final FailureLog failureLog = new FailureLog(ServerLoad.class, "this server's sessions cannot be counted");
    private final SingleFlight counting = new SingleFlight(this::count, failureLog::met);
    private volatile long sessions;
    private volatile long running;
    private volatile long openCommands;
    private volatile Duration oldestCommand = Duration.ZERO;
    private volatile double average = Double.NaN;
    private volatile UUID member;
    private long countedAt;
    private long countedFrom;
    private long rest;

    ServerLoad(Ownership ownership, ServerConfig config, MeterRegistry metrics) {
        this.ownership = ownership;
        this.config = config;
        metrics.gauge("server.sessions", this, load -> load.sessions);
        metrics.gauge("server.sessions.running", this, load -> load.running);
        metrics.gauge("server.load", this, ServerLoad::average);
        metrics.gauge("server.commands.open", this, load -> load.openCommands);
        Gauge.builder("server.commands.age", this, load -> load.oldestCommand.toMillis() / 1e3)
                .description("since the oldest command that this server has not carried out was accepted")
                .baseUnit("seconds")
                .register(metrics);
    }

    /** What it was when it was counted. */
    record Now(long sessions, double average, Duration countedAgo) {}

    synchronized Now now() {
        Duration ago = countedAt == 0 ? Duration.ZERO : Duration.ofNanos(System.nanoTime() - countedFrom);
        return new Now(sessions, average(), ago);
    }

    /** Sessions ÷ capacity, smoothed over a rebalancing interval; 1 is full. */
    double average() {
        double now = average;
        return Double.isNaN(now) ? 0 : now;
    }

    /** Forgets what it was: this is a new member. */
    synchronized void restart(UUID fresh) {
        member = fresh;
        sessions = 0;
        running = 0;
        openCommands = 0;
        oldestCommand = Duration.ZERO;
        average = Double.NaN;
        countedAt = 0;
        rest = 0;
    }

    /** Begins to count if it is time to; no lease waits for it. A count that fails leaves the last one. */
    void refresh() {
        if (due(System.nanoTime())) {
            counting.triggerIfIdle();
        }
    }

    private Uni<?> count() {
        UUID server = member;
        long startedAt = System.nanoTime();
        return ownership.count(server).invoke(count -> counted(server, count, startedAt));
    }

    private synchronized boolean due(long now) {
        return countedAt == 0 || now - countedAt > rest;
    }

    private synchronized void counted(UUID server, Ownership.Count count, long startedAt) {
        if (!server.equals(member)) {
            return;
        }
        long now = System.nanoTime();
        double load = (double) count.sessions() / config.capacity();
        if (Double.isNaN(average)) {
            average = load;
        } else {
            average = smoothed(average, load, now - countedAt, config.rebalanceInterval());
        }
        failureLog.over();
        sessions = count.sessions();
        running = count.running();
        openCommands = count.openCommands();
        oldestCommand = count.oldestCommand();
        countedAt = now;
        countedFrom = startedAt;
        rest = restNanos(config.leaseRenewal(), now - startedAt);
    }

    /** The moving average after a count, so long after the last one. */
    static double smoothed(double average, double load, long sinceNanos, Duration interval) {
        double weight = -Math.expm1(-(double) sinceNanos / Math.max(1, interval.toNanos()));
        return average + weight * (load - average);
    }

    /** How long to rest after a count that took so long. */
    static long restNanos(Duration leaseRenewal, long tookNanos) {
        return Math.max(leaseRenewal.toNanos() / 2, tookNanos * TIMES_THE_COUNT);
    }
}
