package ai.buildscale.agents.host;

import ai.buildscale.agents.host.HostRepository.WorkRequest;
import ai.buildscale.agents.platform.jobs.Jobs;
import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.turn.TurnConfig;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Holds hosts that wait for work, without a thread: each notification, and a poll beneath, looks for the work of all
 * waiting hosts in one statement.
 */
@ApplicationScoped
class HostWaiters {
    private static final Duration LOOK = Duration.ofSeconds(1);
    /** The least time between two looks. */
    private static final Duration REST = Duration.ofMillis(10);

    /** A class: two requests of one host are two waiters. */
    private static final class WaitingHost {
        private final WorkRequest asking;
        private final UniEmitter<? super Boolean> emitter;

        WaitingHost(WorkRequest asking, UniEmitter<? super Boolean> emitter) {
            this.asking = asking;
            this.emitter = emitter;
        }
    }

    private final HostRepository hosts;
    private final TurnConfig config;
    private final Jobs jobs;
    private final Set<WaitingHost> waiting = ConcurrentHashMap.newKeySet();
    private final SingleFlight looking;
    private volatile boolean stopped;

    HostWaiters(HostRepository hosts, TurnConfig config, Vertx vertx, Jobs jobs, Notifier notifier) {
        this.hosts = hosts;
        this.config = config;
        this.jobs = jobs;
        this.looking = SingleFlight.onLoop(vertx, REST, this::lookNow, _ -> {});
        notifier.listen(_ -> look());
    }

    void start(@Observes @Priority(300) Migrations.Applied event) {
        poll().subscribe().with(_ -> {}, _ -> {});
    }

    @Scheduled(every = "1s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> poll() {
        return jobs.trigger("hosts-waiting", LOOK, this::look);
    }

    void stop(@Observes ShutdownDelayInitiatedEvent event) {
        stopped = true;
        waiting.forEach(waiter -> waiter.emitter.complete(false));
    }

    /** Whether this server gives no work any more: whoever asks is to go to another. */
    boolean isStopped() {
        return stopped;
    }

    /** Emits true once there may be work for the host, false when that time is over or this server stops. */
    Uni<Boolean> until(WorkRequest asking, Duration atMost) {
        return Uni.createFrom()
                .<Boolean>emitter(emitter -> {
                    WaitingHost waiter = new WaitingHost(asking, emitter);
                    emitter.onTermination(() -> waiting.remove(waiter));
                    waiting.add(waiter);
                    if (stopped) {
                        emitter.complete(false);
                    }
                    look();
                })
                .ifNoItem()
                .after(atMost)
                .recoverWithItem(false);
    }

    private void look() {
        if (waiting.isEmpty()) {
            return;
        }
        looking.trigger();
    }

    /** Looks for all of them in one statement. */
    private Uni<?> lookNow() {
        return waiting.isEmpty()
                ? Uni.createFrom().voidItem()
                : hosts.withWork(asking(), config.maxAttempts()).invoke(this::tell);
    }

    private List<WorkRequest> asking() {
        return waiting.stream().map(waiter -> waiter.asking).distinct().toList();
    }

    private void tell(Set<UUID> withWork) {
        for (WaitingHost waiter : List.copyOf(waiting)) {
            if (withWork.contains(waiter.asking.host())) {
                waiter.emitter.complete(true);
            }
        }
    }
}
