package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.schedule.SingleFlight;
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
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Recovers the sessions of lost servers, and of servers that are overdue in draining: hands them over to live servers
 * in batches that skip each other's, so that all servers may do it at once and each session is handed over once.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Recovery {
    private static final Logger LOG = Logger.getLogger(Recovery.class);

    private final Ownership ownership;
    private final Placement placement;
    private final Counter recovered;
    private final Timer time;
    /** Its failures are logged with what they concern. */
    private final SingleFlight sharingOut = new SingleFlight(this::shareOut, _ -> {});

    private volatile List<UUID> sources = List.of();

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
        sources = List.copyOf(gone);
        sharingOut.triggerIfIdle();
    }

    boolean isRunning() {
        return sharingOut.isRunning();
    }

    private Uni<Integer> shareOut() {
        List<UUID> gone = sources;
        return runOnce(gone)
                .invoke(n -> {
                    if (n > 0) {
                        LOG.infof("recovered %d sessions of servers %s", n, gone);
                    }
                })
                .onFailure()
                .invoke(e -> LOG.warnf("recovery of the sessions of %s is not complete: %s", gone, e));
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
        HandoverTargets targets = placement.share(Set.copyOf(gone));
        return targets.isEmpty()
                ? Uni.createFrom().item(0)
                : ownership
                        .recover(gone, targets)
                        .invoke(handed -> count(targets, handed))
                        .map(HandedOver::sessions);
    }

    private void count(HandoverTargets targets, HandedOver handed) {
        if (handed.sessions() > 0) {
            placement.placed(targets, handed.sessions());
            recovered.increment(handed.sessions());
            time.record(handed.silent());
        }
    }
}
