package ai.buildscale.agents.server;

import ai.buildscale.agents.event.EventService;
import ai.buildscale.agents.platform.Database;
import ai.buildscale.agents.session.HostedAgents;
import ai.buildscale.agents.session.Ownership;
import ai.buildscale.agents.session.Ownership.Takers;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.ShutdownEvent;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * Hands over all that this server owns: when an operator says so, and when the process is told to stop. Readiness fails
 * first and streams end, then agents come to a safe point, then their sessions go, batch by batch.
 */
@ApplicationScoped
class Drain {
    private static final Logger LOG = Logger.getLogger(Drain.class);
    private static final Duration GOODBYE = Duration.ofSeconds(2);
    private static final int AT_ONCE = 2;
    private static final long LOOK_AGAIN_MILLIS = 50;

    private final Membership self;
    private final ServerRepository servers;
    private final Database database;
    private final Placement placement;
    private final Ownership ownership;
    private final HostedAgents agents;
    private final EventService streams;
    private final ServerConfig config;
    private final MeterRegistry metrics;
    private final AtomicBoolean running = new AtomicBoolean();
    private volatile boolean draining;
    private volatile boolean stopping;
    private volatile Uni<Void> last = Uni.createFrom().voidItem();

    Drain(
            Membership self,
            ServerRepository servers,
            Database database,
            Placement placement,
            Ownership ownership,
            HostedAgents agents,
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
        this.metrics = metrics;
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
        if (running.compareAndSet(false, true)) {
            last = runOnce(self.id())
                    .onTermination()
                    .invoke(() -> running.set(false))
                    .memoize()
                    .indefinitely();
            last.subscribe().with(_ -> {}, e -> LOG.warnf("server %s has not drained: %s", self.id(), e));
        }
    }

    /** It was told to take part again. */
    void end() {
        if (draining && !stopping) {
            draining = false;
            LOG.infof("server %s does not drain any more", self.id());
            streams.open();
        }
    }

    /** Hands over everything; completes when nothing is left, or nobody may take it. */
    Uni<Void> runOnce(UUID server) {
        return agents.checkpointAll()
                .ifNoItem()
                .after(config.drainTimeout().dividedBy(2))
                .recoverWithItem((Void) null)
                .chain(() -> handOverAll(server));
    }

    private Uni<Void> handOverAll(UUID server) {
        Takers takers = placement.share(Set.of(server));
        if (takers.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        return Multi.createFrom()
                .range(0, AT_ONCE)
                .onItem()
                .transformToUniAndMerge(_ -> ownership.giveAway(server, takers, "drain", Takers.BATCH))
                .collect()
                .with(java.util.stream.Collectors.summingInt(Ownership.HandedOver::sessions))
                .invoke(n -> handedOver(server, takers, n))
                .chain(n -> n > 0 ? handOverAll(server) : unlessLeft(server));
    }

    private void handedOver(UUID server, Takers takers, int sessions) {
        if (sessions > 0) {
            placement.placed(takers, sessions);
            metrics.counter("server.migrated", Tags.of("reason", "drain")).increment(sessions);
            LOG.infof("server %s handed over %d sessions", server, sessions);
        }
    }

    /** What is left was locked by a command a moment ago, or nobody has the labels that it requires. */
    private Uni<Void> unlessLeft(UUID server) {
        return ownership
                .count(server)
                .chain(left -> left.sessions() == 0 || !draining
                        ? Uni.createFrom().voidItem()
                        : Uni.createFrom()
                                .voidItem()
                                .onItem()
                                .delayIt()
                                .by(Duration.ofMillis(LOOK_AGAIN_MILLIS))
                                .chain(() -> handOverAll(server)));
    }

    /** Before requests are waited for: not ready any more, and the others take over. */
    void stopping(@Observes ShutdownDelayInitiatedEvent event) {
        stopping = true;
        if (self.owns()) {
            last = servers.change(database, self.id(), ServerState.DRAINING, config.drainTimeout())
                    .chain(() -> {
                        begin();
                        return last;
                    });
            last.subscribe().with(_ -> {}, e -> LOG.warnf("server %s leaves without draining: %s", self.id(), e));
        }
    }

    /** Waits for the sessions to be gone, and leaves. */
    void stop(@Observes ShutdownEvent event) {
        if (stopping && self.owns()) {
            attempt(last, config.drainTimeout());
        }
        attempt(self.leave(), GOODBYE);
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
