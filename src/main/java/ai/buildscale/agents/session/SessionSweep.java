package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.jobs.Sweeps;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Notifier;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.UUID;
import java.util.function.Supplier;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * Time-based transitions of sessions: fail stale ones, expire pauses, cancel inactive ones, report stalled ones,
 * remove ended ones. Works in batches of locked rows that others skip, so any number of servers may sweep at once.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class SessionSweep {
    private static final Logger LOG = Logger.getLogger(SessionSweep.class);
    private static final int REMOVE_BATCH = 1_000;
    private static final String INACTIVE =
            SessionSweepSql.batched(SessionSweepSql.SWEEP_INACTIVE, SessionSweepSql.MAX_BATCH);
    private static final String STALLED =
            SessionSweepSql.batched(SessionSweepSql.SWEEP_STALLED, SessionSweepSql.MAX_BATCH);
    private static final UUID START_KEY = new UUID(0, 0);

    /** A scan of the live sessions by key, one batch at each run; after the last it begins again. */
    private final class KeysetScan {
        private final String label;
        private final String sql;
        private UUID workspace = START_KEY;
        private UUID id = START_KEY;

        KeysetScan(String label, String sql) {
            this.label = label;
            this.sql = sql;
        }

        Uni<Integer> next(Duration threshold) {
            return swept(
                    label,
                    () -> database.row(sql, threshold.toMillis(), workspace, id).invoke(row -> {
                        UUID next = row.getUUID("id");
                        workspace = next == null ? START_KEY : row.getUUID("workspace_id");
                        id = next == null ? START_KEY : next;
                    }));
        }
    }

    private final Database database;
    private final Notifier notifier;
    private final SessionConfig config;
    private final Sweeps sweeps;
    private final SessionLifecycle lifecycle;
    private final Duration retentionInterval;
    private final KeysetScan inactive = new KeysetScan("cancelled, inactive", INACTIVE);
    private final KeysetScan stalled = new KeysetScan("stalled", STALLED);
    private final Counter stalls;

    SessionSweep(
            Database database,
            Notifier notifier,
            SessionConfig config,
            Sweeps sweeps,
            SessionLifecycle lifecycle,
            @ConfigProperty(name = "sweeps.retention-interval") Duration retentionInterval,
            MeterRegistry metrics) {
        this.database = database;
        this.notifier = notifier;
        this.config = config;
        this.sweeps = sweeps;
        this.lifecycle = lifecycle;
        this.stalls = metrics.counter("sessions.stalled");
        this.retentionInterval = retentionInterval;
        if (config.staleThreshold().compareTo(config.heartbeatInterval()) <= 0) {
            LOG.warnf(
                    "sessions.stale-threshold (%s) is not longer than sessions.heartbeat-interval (%s):"
                            + " agents that beat as they should go stale",
                    config.staleThreshold(), config.heartbeatInterval());
        }
        if (config.staleThreshold().compareTo(outageThreshold()) <= 0) {
            LOG.warnf(
                    "sessions.stale-threshold (%s) is not longer than four turns of sessions.sweep-interval (%s): an"
                            + " outage so short is not noticed, and who was not heard meanwhile goes stale",
                    config.staleThreshold(), outageThreshold());
        }
    }

    @Scheduled(every = "${sessions.sweep-interval:5s}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("sessions", config.sweepInterval(), this::runOnce);
    }

    @Scheduled(every = "${sweeps.retention-interval}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tickRetention() {
        return sweeps.run("sessions-retention", retentionInterval, this::removeEnded);
    }

    /** Sweeps until nothing is due; emits how many sessions changed. A failing sweep does not stop the others. */
    Uni<Integer> runOnce() {
        long stale = config.staleThreshold().toMillis();
        int batch = config.sweepBatch();
        return Uni.join()
                .all(
                        drained("stale, hosted outside", batch, () -> silent(stale, batch)),
                        drained("resumed, pause expired", batch, SessionSweepSql.SWEEP_PAUSES),
                        Uni.createFrom()
                                .deferred(() -> inactive.next(config.inactivityTimeout()))
                                .invoke(n -> lifecycle.ended(SessionStatus.CANCELLED, SessionEnd.INACTIVE, n)),
                        Uni.createFrom()
                                .deferred(() -> stalled.next(config.stalledAfter()))
                                .invoke(n -> stalls.increment(n)))
                .usingConcurrencyOf(1)
                .andCollectFailures()
                .map(counts -> counts.stream().mapToInt(Integer::intValue).sum());
    }

    /** The time without any sweep that counts as an outage: four sweep intervals. */
    private Duration outageThreshold() {
        return config.sweepInterval().multipliedBy(4);
    }

    /** Removes ended sessions and applied commands past their retention; emits how many. */
    Uni<Integer> removeEnded() {
        return Uni.join()
                .all(
                        drained(
                                "removed",
                                REMOVE_BATCH,
                                SessionSweepSql.REMOVE_ENDED,
                                config.retention().toMillis()),
                        drained(
                                "commands, removed",
                                REMOVE_BATCH,
                                CommandSql.REMOVE_APPLIED,
                                config.commandRetention().toMillis()))
                .usingConcurrencyOf(1)
                .andCollectFailures()
                .map(counts -> counts.stream().mapToInt(Integer::intValue).sum());
    }

    /** Ends a batch of the sessions that are stale. */
    private Uni<Row> silent(long stale, int batch) {
        return database.row(
                        SessionSweepSql.batched(SessionSweepSql.SWEEP_SILENT, batch),
                        stale,
                        outageThreshold().toMillis())
                .invoke(row -> {
                    long failed = row.getLong("failed");
                    lifecycle.ended(SessionStatus.ERROR, SessionEnd.STALE, failed);
                    lifecycle.ended(SessionStatus.CANCELLED, SessionEnd.STALE, row.getLong("n") - failed);
                });
    }

    private Uni<Integer> drained(String label, int batch, String sweep, Object... arguments) {
        String sql = SessionSweepSql.batched(sweep, batch);
        return drained(label, batch, () -> database.row(sql, arguments));
    }

    private Uni<Integer> drained(String label, int batch, Supplier<Uni<Row>> statement) {
        return Sweeps.drain(batch, () -> swept(label, statement));
    }

    private Uni<Integer> swept(String label, Supplier<Uni<Row>> statement) {
        return statement.get().map(row -> row.getLong("n").intValue()).invoke(n -> {
            if (n > 0) {
                LOG.infof("swept %d sessions: %s", n, label);
                notifier.appended();
            }
        });
    }
}
