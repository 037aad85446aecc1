package ai.buildscale.agents.platform.jobs;

import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.schedule.PeriodicTimers;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.scheduler.Scheduler;
import io.smallrye.mutiny.Uni;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.interceptor.Interceptor;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/**
 * Runs scheduled jobs, also while the scheduler rests. Its triggers go by the wall clock: set back by an hour, they
 * rest for an hour. A job that the scheduler has not called in time, by a clock that only goes on, is called from here
 * until it does: by a timer, as it watches the scheduler. So a job is begun once at the start, to be known here. The scheduler goes on while the server drains.
 */
@ApplicationScoped
public class Jobs {
    private static final Duration LOOK = Duration.ofSeconds(1);
    /** The scheduler looks once a second, and may be late. */
    static final Duration GRACE = Duration.ofSeconds(3);
    /** How long a job may go on after the server has left. */
    private static final Duration LAST = Duration.ofSeconds(1);

    private static final class Job {
        private final long every;
        private final Supplier<Uni<Void>> work;
        private final AtomicBoolean running = new AtomicBoolean();
        private volatile long scheduledAt;
        private volatile long begunAt;
        private volatile CompletableFuture<Void> underWay = CompletableFuture.completedFuture(null);

        Job(Duration every, Supplier<Uni<Void>> work) {
            this.every = every.toNanos();
            this.work = work;
        }

        boolean isOverdue(long now) {
            return now - scheduledAt > every + GRACE.toNanos() && now - begunAt >= every;
        }

        Uni<Void> run(long now) {
            return Uni.createFrom().deferred(() -> {
                if (!running.compareAndSet(false, true)) {
                    return Uni.createFrom().voidItem();
                }
                begunAt = now;
                CompletableFuture<Void> run = new CompletableFuture<>();
                underWay = run;
                return Uni.createFrom().deferred(work::get).onTermination().invoke(() -> {
                    running.set(false);
                    run.complete(null);
                });
            });
        }
    }

    private final FailureLog failureLog = new FailureLog(Jobs.class, "a job that is overdue fails");
    private final PeriodicTimers timers;
    private final Scheduler scheduler;
    private final Map<String, Job> jobs = new ConcurrentHashMap<>();
    private volatile boolean ended;

    Jobs(PeriodicTimers timers, Scheduler scheduler) {
        this.timers = timers;
        this.scheduler = scheduler;
    }

    void start(@Observes Migrations.Applied event) {
        timers.every(LOOK, () -> callOverdue(System.nanoTime()));
    }

    /**
     * No job begins once the server has left the fleet; those under way may end before their connections are closed. The
     * scheduler outlives the beans that it calls, and would make them anew: this server would join the fleet again.
     */
    void end(@Observes @Priority(Interceptor.Priority.LIBRARY_AFTER + 500) ShutdownEvent event) {
        ended = true;
        scheduler.pause();
        CompletableFuture.allOf(jobs.values().stream().map(job -> job.underWay).toArray(CompletableFuture[]::new))
                .completeOnTimeout(null, LAST.toMillis(), TimeUnit.MILLISECONDS)
                .join();
    }

    /** Does the work that the scheduler calls for, unless it is under way. */
    public Uni<Void> run(String name, Duration every, Supplier<Uni<Void>> work) {
        return run(name, every, work, System.nanoTime());
    }

    Uni<Void> run(String name, Duration every, Supplier<Uni<Void>> work, long now) {
        if (ended) {
            return Uni.createFrom().voidItem();
        }
        Job job = jobs.computeIfAbsent(name, _ -> new Job(every, work));
        job.scheduledAt = now;
        return job.run(now);
    }

    /** The same for work that goes on by itself once it is begun, and reports its own failures. */
    public Uni<Void> trigger(String name, Duration every, Runnable work) {
        return run(name, every, () -> {
            work.run();
            return Uni.createFrom().voidItem();
        });
    }

    void callOverdue(long now) {
        if (!ended) {
            jobs.values().stream()
                    .filter(job -> job.isOverdue(now))
                    .forEach(job -> job.run(now).subscribe().with(_ -> failureLog.over(), failureLog::met));
        }
    }
}
