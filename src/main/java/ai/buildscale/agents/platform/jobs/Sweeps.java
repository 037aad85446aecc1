package ai.buildscale.agents.platform.jobs;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * Runs the periodic sweeps of all features. Every server's scheduler calls; one statement lets one of them through in
 * each interval, and the others learn how long ago the last run ended. A sweep must be safe to run twice at once all
 * the same: a slow run is overtaken after its interval.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class Sweeps {
    private final FailureLog failureLog = new FailureLog(Sweeps.class, "sweeps do not finish", Duration.ofSeconds(5));

    static final String CLAIM = """
            with claimed as (
                insert into sweeps (name, started_at, finished_at) values ($1, now(), now())
                on conflict (name) do update set started_at = excluded.started_at
                where sweeps.started_at <= now() - $2 * interval '1 millisecond'
                returning name)
            select exists (select from claimed) as mine,
                   (select (extract(epoch from now() - finished_at) * 1000)::bigint from sweeps where name = $1) as age""";

    private static final String FINISH = "update sweeps set finished_at = now() where name = $1";

    private final Database database;
    private final MeterRegistry metrics;
    private final Jobs jobs;
    private final Map<String, LastRun> lastRuns = new ConcurrentHashMap<>();

    Sweeps(Database database, MeterRegistry metrics, Jobs jobs) {
        this.database = database;
        this.metrics = metrics;
        this.jobs = jobs;
    }

    /**
     * How long ago a sweep last ran to its end, anywhere in the fleet.
     *
     * @param every the interval at which it should
     */
    public record Age(Duration sinceFinished, Duration every) {
        /** Whether its next end is overdue by more than the allowance. */
        public boolean isBehind(Duration allowance) {
            return sinceFinished.compareTo(every.plus(allowance)) > 0;
        }
    }

    /** @param finishedAt in {@link System#nanoTime} */
    private record LastRun(AtomicLong finishedAt, Duration every) {}

    /** Runs the sweep if its turn has come; a failure is logged and the next turn tries again. */
    public Uni<Void> run(String name, Duration every, Supplier<Uni<Integer>> sweep) {
        return jobs.run(name, every, () -> claimed(name, every, sweep));
    }

    private Uni<Void> claimed(String name, Duration every, Supplier<Uni<Integer>> sweep) {
        // a little less than the interval, so that the scheduler's jitter does not skip every other turn
        return database.row(CLAIM, name, every.toMillis() * 9 / 10)
                .invoke(row -> finished(name, every, row.getLong("age") == null ? 0 : row.getLong("age")))
                .chain(row -> row.getBoolean("mine")
                        ? sweep(name, every, sweep)
                        : Uni.createFrom().voidItem())
                .onFailure()
                .invoke(failureLog::met)
                .onFailure()
                .recoverWithNull();
    }

    /** Repeats a batch until it is not full; emits how many there were in all. */
    public static Uni<Integer> drain(int batch, Supplier<Uni<Integer>> statement) {
        return Multi.createBy()
                .repeating()
                .uni(statement::get)
                .whilst(n -> n == batch)
                .collect()
                .in(() -> new int[1], (sum, n) -> sum[0] += n)
                .map(sum -> sum[0]);
    }

    private Uni<Void> sweep(String name, Duration every, Supplier<Uni<Integer>> sweep) {
        return sweep.get()
                .invoke(swept -> swept(name).increment(swept))
                .chain(() -> database.rows(FINISH, name))
                .invoke(() -> finished(name, every, 0))
                .invoke(failureLog::over)
                .replaceWithVoid();
    }

    /** The age of each sweep: as last seen from here, and growing since, should this server look no more. */
    public Map<String, Age> ages() {
        Map<String, Age> ages = new TreeMap<>();
        lastRuns.forEach((name, run) -> ages.put(name, new Age(age(run), run.every())));
        return ages;
    }

    private Duration age(LastRun run) {
        return Duration.ofNanos(System.nanoTime() - run.finishedAt().get());
    }

    private void finished(String name, Duration every, long millisAgo) {
        lastRuns.computeIfAbsent(name, _ -> registered(name, every))
                .finishedAt()
                .set(System.nanoTime() - millisAgo * 1_000_000);
    }

    private LastRun registered(String name, Duration every) {
        LastRun run = new LastRun(new AtomicLong(System.nanoTime()), every);
        Gauge.builder("sweep.age", () -> age(run).toMillis() / 1e3)
                .description("time since the last complete run, anywhere in the fleet")
                .baseUnit("seconds")
                .tag("sweep", name)
                .register(metrics);
        swept(name);
        return run;
    }

    private Counter swept(String name) {
        return metrics.counter("sweep.swept", "sweep", name);
    }
}
