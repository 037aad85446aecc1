package ai.buildscale.agents.server;

import ai.buildscale.agents.event.EventService;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.session.AgentRuntime;
import ai.buildscale.agents.session.Ownership;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Drains this server: hands over all sessions that it owns, on an operator's request and when the process is told to
 * stop. Readiness fails first and streams end, then agents come to a safe point, then their sessions go, batch by
 * batch.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Drain {
    private static final Logger LOG = Logger.getLogger(Drain.class);
    private static final Duration GOODBYE = Duration.ofSeconds(2);
    private static final int AT_ONCE = 2;
    private static final Duration LOOK_AGAIN = Duration.ofMillis(50);
    /** Longer than Postgres leaves a lock to a transaction that stands still. */
    private static final Duration IN_VAIN = Duration.ofSeconds(4);

    private final Membership self;
    private final ServerRepository servers;
    private final Database database;
    private final Placement placement;
    private final Ownership ownership;
    private final AgentRuntime agents;
    private final EventService streams;
    private final ServerConfig config;
    private final Counter migrated;
    private final SingleFlight handingOver;
    private volatile boolean draining;
    private volatile boolean stopping;

    Drain(
            Membership self,
            ServerRepository servers,
            Database database,
            Placement placement,
            Ownership ownership,
            AgentRuntime agents,
            EventService streams,
            ServerConfig config,
            MeterRegistry metrics) {
        this.self = self;
        this.servers = servers;
        this.database = database;
        this.placement = placement;
        this.ownership = ownership;
        this.agents = agents;
        this.streams = streams;
        this.config = config;
        this.handingOver = new SingleFlight(
                () -> runOnce(self.id()), e -> LOG.warnf("server %s has not drained: %s", self.id(), e));
        this.migrated = metrics.counter("server.migrated", "reason", "drain");
    }

    boolean isDraining() {
        return draining;
    }

    /** Begins, or goes on if something was left. */
    void begin() {
        if (!draining) {
            draining = true;
            LOG.infof("server %s drains", self.id());
            streams.close();
        }
        handingOver.triggerIfIdle();
    }

    /** It was told to take part again. */
    void end() {
        if (draining && !stopping) {
            draining = false;
            LOG.infof("server %s does not drain any more", self.id());
            agents.goOn();
            streams.open();
        }
    }

    /** Hands over batch after batch until one is empty: what is left is locked by a command, or nobody may take it. */
    Uni<Integer> runOnce(UUID server) {
        return agents.checkpointAll()
                .ifNoItem()
                .after(config.drainTimeout().dividedBy(2))
                .recoverWithItem((Void) null)
                .chain(() -> Multi.createBy()
                        .repeating()
                        .uni(() -> batch(server))
                        .whilst(sessions -> sessions > 0)
                        .collect()
                        .with(Collectors.summingInt(Integer::intValue)));
    }

    private Uni<Integer> batch(UUID server) {
        HandoverTargets targets = placement.share(Set.of(server));
        if (targets.isEmpty()) {
            return Uni.createFrom().item(0);
        }
        return Multi.createFrom()
                .range(0, AT_ONCE)
                .onItem()
                .transformToUniAndMerge(_ -> ownership.handOver(server, targets, "drain", HandoverTargets.BATCH))
                .collect()
                .with(Collectors.summingInt(Ownership.HandedOver::sessions))
                .invoke(n -> handedOver(server, targets, n));
    }

    private void handedOver(UUID server, HandoverTargets targets, int sessions) {
        if (sessions > 0) {
            placement.placed(targets, sessions);
            migrated.increment(sessions);
            LOG.infof("server %s handed over %d sessions", server, sessions);
        }
    }

    /** Before requests are waited for: not ready any more, and the others take over. */
    void stopping(@Observes ShutdownDelayInitiatedEvent event) {
        stopping = true;
        if (self.owns()) {
            servers.change(database, self.id(), ServerState.DRAINING, config.drainTimeout())
                    .subscribe()
                    .with(_ -> begin(), e -> LOG.warnf("server %s cannot say that it drains: %s", self.id(), e));
        }
    }

    /** Waits for the sessions to be gone, and leaves. */
    void stop(@Observes ShutdownEvent event) {
        if (stopping && self.owns()) {
            attempt(emptied(self.id(), System.nanoTime() + IN_VAIN.toNanos()), config.drainTimeout());
        }
        attempt(self.leave(), GOODBYE);
    }

    /** Rounds until nothing is left; not for long if they move nothing, or nobody is there to take anything. */
    private Uni<Void> emptied(UUID server, long giveUpAt) {
        return ownership.count(server).chain(left -> {
            if (left.sessions() == 0 || placement.share(Set.of(server)).isEmpty() || System.nanoTime() - giveUpAt > 0) {
                return Uni.createFrom().voidItem();
            }
            return runOnce(server)
                    .onItem()
                    .delayIt()
                    .by(LOOK_AGAIN)
                    .chain(moved -> emptied(server, moved > 0 ? System.nanoTime() + IN_VAIN.toNanos() : giveUpAt));
        });
    }

    private static void attempt(Uni<Void> work, Duration within) {
        work.ifNoItem()
                .after(within)
                .fail()
                .onFailure()
                .invoke(e -> LOG.warnf("stopping all the same: %s", e))
                .onFailure()
                .recoverWithNull()
                .await()
                .indefinitely();
    }
}
