package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.PeriodicTimers;
import ai.buildscale.agents.platform.schedule.SingleFlight;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * Holds callers until their command is applied: each notification, and a timer beneath, looks for all of them in one
 * statement. Callers wait here, so the poll is quicker than the scheduler's second.
 */
@ApplicationScoped
class CommandWaiters {
    private static final Duration LOOK = Duration.ofMillis(250);

    private record Waiter(UUID command, UniEmitter<? super Void> emitter) {}

    private final Database database;
    private final CommandRepository commands;
    private final Set<Waiter> waiting = ConcurrentHashMap.newKeySet();
    private final SingleFlight looking;

    CommandWaiters(
            Database database, CommandRepository commands, Vertx vertx, PeriodicTimers timers, Notifier notifier) {
        this.database = database;
        this.commands = commands;
        // a failure is mended by the next look, which is due in a moment
        this.looking = SingleFlight.onLoop(vertx, this::ask, _ -> {});
        notifier.listen(_ -> look());
        timers.every(LOOK, this::look);
    }

    /** Completes once the command is applied or rejected, or after that time. */
    Uni<Void> until(UUID command, Duration atMost) {
        return Uni.createFrom()
                .<Void>emitter(emitter -> {
                    Waiter waiter = new Waiter(command, emitter);
                    emitter.onTermination(() -> waiting.remove(waiter));
                    waiting.add(waiter);
                    look();
                })
                .ifNoItem()
                .after(atMost)
                .recoverWithItem((Void) null);
    }

    private void look() {
        if (!waiting.isEmpty()) {
            looking.trigger();
        }
    }

    private Uni<Set<UUID>> ask() {
        if (waiting.isEmpty()) {
            return Uni.createFrom().item(Set.of());
        }
        Set<UUID> asked = waiting.stream().map(Waiter::command).collect(Collectors.toSet());
        return commands.applied(database, asked).invoke(this::tell);
    }

    private void tell(Set<UUID> applied) {
        for (Waiter waiter : List.copyOf(waiting)) {
            if (applied.contains(waiter.command())) {
                waiter.emitter().complete(null);
            }
        }
    }
}
