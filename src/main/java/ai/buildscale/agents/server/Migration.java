package ai.buildscale.agents.server;

import ai.buildscale.agents.session.AgentRuntime;
import ai.buildscale.agents.session.CommandQueue;
import ai.buildscale.agents.session.CommandQueue.OpenMigration;
import ai.buildscale.agents.session.DeliveredCommand;
import ai.buildscale.agents.session.Ownership;
import ai.buildscale.agents.session.Ownership.HandoverTargets;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Carries out a migration: the agent comes to a safe point, then the session gets its next owner and epoch in one
 * statement. If the server that was named does not take sessions by then, the least loaded one does.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Migration {
    private static final Logger LOG = Logger.getLogger(Migration.class);

    private final CommandQueue queue;
    private final Ownership ownership;
    private final Placement placement;
    private final AgentRuntime agents;
    private final Counter migrated;

    Migration(
            CommandQueue queue, Ownership ownership, Placement placement, AgentRuntime agents, MeterRegistry metrics) {
        this.queue = queue;
        this.ownership = ownership;
        this.placement = placement;
        this.agents = agents;
        this.migrated = metrics.counter("server.migrated", "reason", "requested");
    }

    /** As the owner. */
    Uni<Void> carryOut(UUID self, DeliveredCommand delivered) {
        UUID session = delivered.command().sessionId();
        OpenMigration migration = new OpenMigration(
                delivered.command().id(),
                session,
                delivered.command().targetServerId(),
                self,
                delivered.requires(),
                delivered.ended());
        return settle(migration, agents.checkpoint(session))
                .onFailure()
                .invoke(e -> LOG.warnf("session %s was not migrated: %s", session, e))
                .onFailure()
                .recoverWithNull();
    }

    /** In place of owners that have not; emits how many. */
    Uni<Integer> carryOutLate() {
        return queue.lateMigrations()
                .onItem()
                .transformToMulti(Multi.createFrom()::iterable)
                .onItem()
                .transformToUniAndConcatenate(
                        late -> settle(late, Uni.createFrom().voidItem()).replaceWith(1))
                .collect()
                .with(Collectors.summingInt(Integer::intValue));
    }

    /** Brings a migration to its end, in whichever way; it moves after its safe point. */
    private Uni<Void> settle(OpenMigration migration, Uni<Void> safePoint) {
        if (migration.ended()) {
            return queue.reject(migration.owner(), migration.command(), "The session has ended");
        }
        if (migration.owner().equals(migration.target())) {
            // it came here by another way
            return queue.applied(migration.owner(), List.of(migration.command()))
                    .replaceWithVoid();
        }
        return safePoint
                .chain(() -> move(migration))
                .chain(moved -> moved
                        ? Uni.createFrom().voidItem()
                        : queue.reject(migration.owner(), migration.command(), "No other server takes the session"));
    }

    private Uni<Boolean> move(OpenMigration migration) {
        Uni<Boolean> toTarget = migration.target() == null
                ? Uni.createFrom().item(false)
                : moveTo(migration, placement.only(migration.target()));
        return toTarget.chain(moved -> moved
                        ? Uni.createFrom().item(true)
                        : moveTo(
                                migration,
                                placement.leastLoaded(
                                        ServerRepository.labels(migration.requires()), migration.owner())))
                .invoke(moved -> {
                    if (moved) {
                        migrated.increment();
                    }
                });
    }

    private Uni<Boolean> moveTo(OpenMigration migration, HandoverTargets targets) {
        return targets.isEmpty()
                ? Uni.createFrom().item(false)
                : ownership.migrate(migration.session(), migration.owner(), migration.command(), targets);
    }
}
