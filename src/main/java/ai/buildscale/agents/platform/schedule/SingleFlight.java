package ai.buildscale.agents.platform.schedule;

import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Runs work once at a time, and once more if it was triggered meanwhile: whatever was there before a trigger is seen by
 * a run that begins after it, however many triggers there are. A run begins on the thread of its trigger, or on the one
 * on which the run before has ended. Work that fails is reported, and runs again at the next trigger.
 */
public final class SingleFlight {
    private final Supplier<? extends Uni<?>> work;
    private final Consumer<Throwable> failed;

    /** The triggers that no run has answered yet, those of the run under way among them. */
    private final AtomicInteger triggers = new AtomicInteger();

    public SingleFlight(Supplier<? extends Uni<?>> work, Consumer<Throwable> failed) {
        this.work = work;
        this.failed = failed;
    }

    /** The same for work that shall not begin within the trigger, but on an event loop, a moment later. */
    public static SingleFlight onLoop(Vertx vertx, Supplier<? extends Uni<?>> work, Consumer<Throwable> failed) {
        return new SingleFlight(
                () -> Uni.createFrom()
                        .<Void>emitter(emitter -> vertx.runOnContext(_ -> emitter.complete(null)))
                        .chain(() -> work.get().replaceWithVoid()),
                failed);
    }

    /** Runs the work now, or once more after the run under way. From any thread. */
    public void trigger() {
        if (triggers.getAndIncrement() == 0) {
            run(1);
        }
    }

    /** Runs the work unless a run is under way, which is then not repeated. From any thread. */
    public void triggerIfIdle() {
        if (triggers.compareAndSet(0, 1)) {
            run(1);
        }
    }

    /** Whether a run is under way. */
    public boolean isRunning() {
        return triggers.get() > 0;
    }

    private void run(int answered) {
        Uni.createFrom().deferred(work::get).subscribe().with(_ -> ended(answered), e -> {
            failed.accept(e);
            ended(answered);
        });
    }

    private void ended(int answered) {
        int left = triggers.addAndGet(-answered);
        if (left > 0) {
            run(left);
        }
    }
}
