package ai.buildscale.agents.platform.schedule;

import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.function.Supplier;

/**
 * Runs work repeatedly, each run a delay after the end of the one before. For what the scheduler cannot do: run more
 * often than once a second, before the schema is there, or at intervals that change. A run that fails does not keep the
 * next from its turn.
 */
public final class FixedDelayTimer {
    private final Vertx vertx;
    private final Supplier<Duration> pause;
    private final Supplier<Uni<Void>> work;
    private volatile boolean stopped;
    private volatile Uni<Void> running = Uni.createFrom().voidItem();

    private FixedDelayTimer(Vertx vertx, Supplier<Duration> pause, Supplier<Uni<Void>> work) {
        this.vertx = vertx;
        this.pause = pause;
        this.work = work;
    }

    /** Begins; the first run comes after the first pause. */
    public static FixedDelayTimer start(Vertx vertx, Supplier<Duration> pause, Supplier<Uni<Void>> work) {
        FixedDelayTimer timer = new FixedDelayTimer(vertx, pause, work);
        timer.rest();
        return timer;
    }

    /** No run begins any more. Emits when the one that is under way has ended. */
    public Uni<Void> stop() {
        stopped = true;
        return running;
    }

    private void rest() {
        if (!stopped) {
            vertx.setTimer(Math.max(1, pause.get().toMillis()), _ -> run());
        }
    }

    private void run() {
        if (!stopped) {
            running = Uni.createFrom()
                    .deferred(work::get)
                    .onFailure()
                    .recoverWithNull()
                    .memoize()
                    .indefinitely();
            running.subscribe().with(_ -> rest());
        }
    }
}
