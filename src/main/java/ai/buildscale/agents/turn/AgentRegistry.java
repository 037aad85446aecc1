package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.impl.VertxInternal;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Registers the actors of this server's agents: makes them, each on one of the event loops, and forgets those that rest
 * or are not this server's any more.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class AgentRegistry {
    /** What the agent of a session that has ended has for its last write. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(1);

    private final Vertx vertx;
    private final TurnConfig config;
    private final Counter activated;
    private final Counter passivated;
    private final Map<UUID, AgentActor> actors = new ConcurrentHashMap<>();
    private final List<Context> loops = new ArrayList<>();

    AgentRegistry(Vertx vertx, TurnConfig config, MeterRegistry metrics) {
        this.vertx = vertx;
        this.config = config;
        this.activated = metrics.counter("chat.actors.activated");
        this.passivated = metrics.counter("chat.actors.passivated");
        metrics.gaugeMapSize("chat.actors", List.of(), actors);
        metrics.gauge("chat.turns.running", this, AgentRegistry::running);
    }

    /** Before the {@link TurnDispatcher}, which gives them work. */
    void start(@Observes @Priority(299) Migrations.Applied event) {
        for (int i = 0; i < Runtime.getRuntime().availableProcessors() * 2; i++) {
            loops.add(((VertxInternal) vertx).createEventLoopContext());
        }
    }

    boolean isStarted() {
        return !loops.isEmpty();
    }

    private double running() {
        return all().stream()
                .map(AgentActor::execution)
                .filter(execution -> execution != null && execution.isThinking())
                .count();
    }

    /** The sessions that have an actor here, as they are at any time. */
    Set<UUID> sessions() {
        return actors.keySet();
    }

    Collection<AgentActor> all() {
        return actors.values();
    }

    /** Null if there is none. */
    AgentActor find(UUID session) {
        return actors.get(session);
    }

    /** The turn that the session's actor is at; null if it has none, or is not here. */
    TurnExecution execution(UUID session) {
        AgentActor actor = actors.get(session);
        return actor == null ? null : actor.execution();
    }

    /** The session's actor, made if there is none. */
    AgentActor actorOf(UUID session, AgentActor.Supervisor supervisor) {
        return actors.computeIfAbsent(session, id -> {
            activated.increment();
            return new AgentActor(supervisor, id, loops.get(Math.floorMod(id.hashCode(), loops.size())));
        });
    }

    /** Its session is another's, has ended, or rests; it writes nothing more. */
    void forget(AgentActor actor) {
        actors.remove(actor.session(), actor);
        actor.abandon();
    }

    /** The same, unless it has another turn by now. */
    void forget(AgentActor actor, TurnExecution last) {
        if (actor.wasLastAt(last.fence())) {
            forget(actor);
        }
    }

    void forgetAll() {
        List<AgentActor> all = List.copyOf(actors.values());
        actors.clear();
        all.forEach(AgentActor::abandon);
    }

    /**
     * Completes when the agent of a session that has ended has stopped, and is no more: it may still say what its turn has
     * used, but where the session was removed nobody takes that.
     */
    Uni<Void> end(AgentActor actor, String reason) {
        TurnExecution execution = actor.execution();
        Uni<Void> stopped = execution == null
                ? Uni.createFrom().voidItem()
                : execution
                        .interrupt(new Stopped(reason))
                        .ifNoItem()
                        .after(LAST_WORDS)
                        .recoverWithUni(Uni.createFrom().voidItem());
        return stopped.invoke(() -> forget(actor));
    }

    /** Frees the memory of agents that have had no work for a while. */
    void passivate() {
        all().stream()
                .filter(actor -> actor.restsFor(config.passivateAfter()))
                .toList()
                .forEach(actor -> {
                    forget(actor);
                    passivated.increment();
                });
    }
}
