package ai.buildscale.agents.server;

import ai.buildscale.agents.session.HostedAgents;
import ai.buildscale.agents.session.Order;
import ai.buildscale.agents.session.Ownership;
import ai.buildscale.agents.session.Ownership.Takers;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jboss.logging.Logger;

/**
 * Carries out a migration: the agent comes to a safe point, then the session gets its next owner and epoch in one
 * statement. If the server that was named does not take sessions by then, the least loaded one does.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Migration {
    private static final Logger LOG = Logger.getLogger(Migration.class);

    private final Ownership ownership;
    private final Placement placement;
    private final HostedAgents agents;
    private final Counter migrated;

    Migration(Ownership ownership, Placement placement, HostedAgents agents, MeterRegistry metrics) {
        this.ownership = ownership;
        this.placement = placement;
        this.agents = agents;
        this.migrated = metrics.counter("server.migrated", "reason", "requested");
    }

    /** As the owner. */
    Uni<Void> carryOut(UUID self, Order order) {
        UUID session = order.command().sessionId();
        if (order.ended()) {
            return ownership.reject(self, order.command().id(), "The session has ended");
        }
        if (self.equals(order.command().targetServerId())) {
            // it came here by another way
            return ownership.applied(self, List.of(order.command().id())).replaceWithVoid();
        }
        return agents.checkpoint(session)
                .chain(() -> move(
                        session, self, order.command().id(), order.command().targetServerId(), order.requires()))
                .chain(moved -> moved
                        ? Uni.createFrom().voidItem()
                        : ownership.reject(self, order.command().id(), "No other server takes the session"))
                .onFailure()
                .invoke(e -> LOG.warnf("session %s was not migrated: %s", session, e))
                .onFailure()
                .recoverWithNull();
    }

    /** In place of owners that have not; emits how many. */
    Uni<Integer> carryOutLate() {
        return ownership
                .lateMigrations()
                .onItem()
                .transformToMulti(Multi.createFrom()::iterable)
                .onItem()
                .transformToUniAndConcatenate(late -> late.owner().equals(late.target())
                        ? ownership
                                .applied(late.owner(), List.of(late.command()))
                                .map(done -> !done.isEmpty())
                        : late.ended()
                                ? ownership
                                        .reject(late.owner(), late.command(), "The session has ended")
                                        .replaceWith(true)
                                : move(late.session(), late.owner(), late.command(), late.target(), late.requires())
                                        .chain(moved -> moved
                                                ? Uni.createFrom().item(true)
                                                : ownership
                                                        .reject(
                                                                late.owner(),
                                                                late.command(),
                                                                "No other server takes the session")
                                                        .replaceWith(false)))
                .collect()
                .asList()
                .map(List::size);
    }

    private Uni<Boolean> move(UUID session, UUID owner, UUID command, UUID target, String requires) {
        Uni<Boolean> toTarget =
                target == null ? Uni.createFrom().item(false) : moveTo(session, owner, command, placement.only(target));
        return toTarget.chain(moved -> moved
                        ? Uni.createFrom().item(true)
                        : moveTo(session, owner, command, placement.leastLoaded(labels(requires), owner)))
                .invoke(moved -> {
                    if (moved) {
                        migrated.increment();
                    }
                });
    }

    private Uni<Boolean> moveTo(UUID session, UUID owner, UUID command, Takers takers) {
        return takers.isEmpty() ? Uni.createFrom().item(false) : ownership.migrate(session, owner, command, takers);
    }

    private static Map<String, String> labels(String json) {
        Map<String, String> labels = new HashMap<>();
        new JsonObject(json).forEach(label -> labels.put(label.getKey(), (String) label.getValue()));
        return labels;
    }
}
