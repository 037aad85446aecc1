package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.jobs.Sweeps;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Removes events that are older than their retention, in batches. */
@ApplicationScoped
class EventSweep {
    private static final int BATCH = 5_000;

    private final EventLog log;
    private final EventConfig config;
    private final Sweeps sweeps;
    private final Duration every;

    EventSweep(
            EventLog log,
            EventConfig config,
            Sweeps sweeps,
            @ConfigProperty(name = "sweeps.retention-interval") Duration every) {
        this.log = log;
        this.config = config;
        this.sweeps = sweeps;
        this.every = every;
    }

    @Scheduled(every = "${sweeps.retention-interval}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("events-retention", every, this::runOnce);
    }

    /** Prunes until nothing is left to prune; emits how many went. */
    Uni<Integer> runOnce() {
        return Sweeps.drain(BATCH, () -> log.prune(config.retention(), BATCH));
    }
}
