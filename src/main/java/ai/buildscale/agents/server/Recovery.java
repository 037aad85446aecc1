package ai.buildscale.agents.server;

import ai.buildscale.agents.session.Ownership;
import ai.buildscale.agents.session.Ownership.HandedOver;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Shares out the sessions of servers that are gone, or overdue in draining, among those that live: in batches that
 * skip each other's, so that all servers may do it at once and each session is taken once.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Recovery {
    private static final Logger LOG = Logger.getLogger(Recovery.class);

    private final Ownership ownership;
    private final Placement placement;
    private final Counter recovered;
    private final Timer time;
    private final AtomicBoolean running = new AtomicBoolean();

    Recovery(Ownership ownership, Placement placement, MeterRegistry metrics) {
        this.ownership = ownership;
        this.placement = placement;
        this.recovered = metrics.counter("server.recovered");
        this.time = Timer.builder("server.recovery.time")
                .description("from a lost server's last sign of life until its sessions have another owner")
                .register(metrics);
    }

    /** Those of a fleet whose sessions are shared out. */
    static Set<UUID> sources(Collection<Member> fleet) {
        return fleet.stream()
                .filter(member -> member.holds() || (member.overdue() && !member.isGone()))
                .map(Member::id)
                .collect(Collectors.toSet());
    }

    /** Begins, unless it is at it; what it does not get now is found again at the next look at the fleet. */
    void begin(Collection<UUID> gone) {
        if (running.compareAndSet(false, true)) {
            runOnce(List.copyOf(gone))
                    .onTermination()
                    .invoke(() -> running.set(false))
                    .subscribe()
                    .with(
                            n -> {
                                if (n > 0) {
                                    LOG.infof("recovered %d sessions of servers %s", n, gone);
                                }
                            },
                            e -> LOG.warnf("recovery of the sessions of %s is not complete: %s", gone, e));
        }
    }

    boolean isRunning() {
        return running.get();
    }

    /** Hands over batches until none is left that can be; emits how many sessions it were. */
    Uni<Integer> runOnce(Collection<UUID> gone) {
        return Multi.createBy()
                .repeating()
                .uni(() -> batch(gone))
                .whilst(sessions -> sessions > 0)
                .collect()
                .with(Collectors.summingInt(Integer::intValue));
    }

    private Uni<Integer> batch(Collection<UUID> gone) {
        HandoverTargets takers = placement.share(Set.copyOf(gone));
        return takers.isEmpty()
                ? Uni.createFrom().item(0)
                : ownership
                        .recover(gone, takers)
                        .invoke(handed -> count(takers, handed))
                        .map(HandedOver::sessions);
    }

    private void count(HandoverTargets takers, HandedOver handed) {
        if (handed.sessions() > 0) {
            placement.placed(takers, handed.sessions());
            recovered.increment(handed.sessions());
            time.record(handed.silent());
        }
    }
}
