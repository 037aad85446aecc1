package ai.buildscale.agents.platform.schedule;

import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.context.BeforeDestroyed;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Starts periodic timers on Vert.x and cancels all of them when the service stops: Vert.x outlives the beans that the timers
 * call. They go on while the server drains. For what the scheduler cannot do: run more often than once a second, or on
 * an event loop of its caller's choice.
 */
@ApplicationScoped
public class PeriodicTimers {
    private final Vertx vertx;
    private final Set<Long> timers = ConcurrentHashMap.newKeySet();

    PeriodicTimers(Vertx vertx) {
        this.vertx = vertx;
    }

    /** Runs the work once a period, on the caller's event loop if there is one, until the service stops. */
    public void every(Duration period, Runnable work) {
        timers.add(vertx.setPeriodic(period.toMillis(), _ -> work.run()));
    }

    void stop(@Observes @BeforeDestroyed(ApplicationScoped.class) Object event) {
        timers.forEach(vertx::cancelTimer);
    }
}
