package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.PeriodicTimers;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;

/** Holds callers until their command is applied: each notification looks for all of them in one statement. */
@ApplicationScoped
class CommandWaiters {
    private static final Duration LOOK = Duration.ofMillis(250);

    private record Waiter(UUID command, UniEmitter<? super Void> emitter) {}

    private final Database database;
    private final CommandRepository commands;
    private final Vertx vertx;
    private final Set<Waiter> waiting = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean looking = new AtomicBoolean();
    private volatile boolean again;

    CommandWaiters(
            Database database, CommandRepository commands, Vertx vertx, PeriodicTimers timers, Notifier notifier) {
        this.database = database;
        this.commands = commands;
        this.vertx = vertx;
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
        if (waiting.isEmpty()) {
            return;
        }
        again = true;
        if (looking.compareAndSet(false, true)) {
            vertx.runOnContext(_ -> ask());
        }
    }

    private void ask() {
        again = false;
        Set<UUID> asked = waiting.stream().map(Waiter::command).collect(Collectors.toSet());
        commands.applied(database, asked).subscribe().with(this::tell, _ -> rest());
    }

    private void tell(Set<UUID> applied) {
        for (Waiter waiter : List.copyOf(waiting)) {
            if (applied.contains(waiter.command())) {
                waiter.emitter().complete(null);
            }
        }
        rest();
    }

    private void rest() {
        looking.set(false);
        if (again) {
            look();
        }
    }
}
