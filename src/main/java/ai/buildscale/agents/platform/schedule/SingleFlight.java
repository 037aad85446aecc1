package ai.buildscale.agents.platform.schedule;

import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Runs work once at a time, and once more if it was triggered meanwhile: a run that begins after a trigger sees
 * everything that was there before the trigger, however many triggers there are. Work that fails is reported, and runs
 * again at the next trigger.
 */
public final class SingleFlight {
    private final Supplier<? extends Uni<?>> work;
    private final Consumer<Throwable> failed;
    private final Consumer<Runnable> begin;
    private final Consumer<Runnable> rest;

    /** The triggers that no run has answered yet, those of the run under way among them. */
    private final AtomicInteger triggers = new AtomicInteger();

    private SingleFlight(
            Supplier<? extends Uni<?>> work,
            Consumer<Throwable> failed,
            Consumer<Runnable> begin,
            Consumer<Runnable> rest) {
        this.work = work;
        this.failed = failed;
        this.begin = begin;
        this.rest = rest;
    }

    /** A run begins on the thread of its trigger, or on the one on which the run before has ended. */
    public SingleFlight(Supplier<? extends Uni<?>> work, Consumer<Throwable> failed) {
        this(work, failed, Runnable::run, Runnable::run);
    }

    /** A run begins on an event loop, a moment after its trigger. */
    public static SingleFlight onLoop(Vertx vertx, Supplier<? extends Uni<?>> work, Consumer<Throwable> failed) {
        return new SingleFlight(work, failed, run -> vertx.runOnContext(_ -> run.run()), Runnable::run);
    }

    /**
     * The same, with a rest after each run.
     *
     * @param rest the least time from the end of a run to the next one, at least a millisecond
     */
    public static SingleFlight onLoop(
            Vertx vertx, Duration rest, Supplier<? extends Uni<?>> work, Consumer<Throwable> failed) {
        return new SingleFlight(
                work,
                failed,
                run -> vertx.runOnContext(_ -> run.run()),
                next -> vertx.setTimer(rest.toMillis(), _ -> next.run()));
    }

    /** Runs the work now, or once more after the run under way. From any thread. */
    public void trigger() {
        if (triggers.getAndIncrement() == 0) {
            run();
        }
    }

    /** Runs the work unless a run is under way, which is then not repeated. From any thread. */
    public void triggerIfIdle() {
        if (triggers.compareAndSet(0, 1)) {
            run();
        }
    }

    /** Whether a run is under way, or its rest. */
    public boolean isRunning() {
        return triggers.get() > 0;
    }

    private void run() {
        begin.accept(() -> {
            // whoever has triggered by now is answered by this run
            int answered = triggers.get();
            Uni.createFrom().deferred(work::get).subscribe().with(_ -> ended(answered), e -> {
                try {
                    failed.accept(e);
                } finally {
                    ended(answered);
                }
            });
        });
    }

    private void ended(int answered) {
        rest.accept(() -> {
            if (triggers.addAndGet(-answered) > 0) {
                run();
            }
        });
    }
}
