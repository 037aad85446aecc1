package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.schedule.PeriodicTimers;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.impl.VertxInternal;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Reads the log once for all streams of this server and hands each batch to the {@link Subscribers}. Lives on one
 * event loop, so its state needs no lock; sleeps while nobody follows anything. Never passes a transaction that is in
 * flight: where one holds the horizon back, it looks again after milliseconds, not at the next poll. A timer polls,
 * because the scheduler chooses the event loop of what it calls.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class EventTail {
    private static final long FIRST_LOOK_AGAIN_MILLIS = 2;
    private static final long LAST_LOOK_AGAIN_MILLIS = 50;

    private final FailureLog failureLog =
            new FailureLog(EventTail.class, "streams stand still, the log cannot be read");
    private final EventLog log;
    private final Subscribers subscribers;
    private final Vertx vertx;
    private final long coalesceMillis;
    private final AtomicBoolean woken = new AtomicBoolean();
    private Context context;
    private boolean active;
    private boolean reading;
    private boolean again;
    /** The newest event that was read: a position that stays, whatever becomes of Postgres. */
    private long cursor;

    private long chunkCursor;
    private long target;
    private long lookAgainMillis = FIRST_LOOK_AGAIN_MILLIS;
    private long lastReadNanos = System.nanoTime();
    private final List<UniEmitter<? super Void>> waiting = new ArrayList<>();
    /** By {@link System#nanoTime}; null while nothing waits. */
    private volatile Long behindSince;

    EventTail(
            EventLog log,
            Subscribers subscribers,
            Vertx vertx,
            PeriodicTimers timers,
            Notifier notifier,
            EventConfig config,
            MeterRegistry metrics) {
        this.log = log;
        this.subscribers = subscribers;
        this.vertx = vertx;
        this.coalesceMillis = config.coalesce().toMillis();
        this.context = ((VertxInternal) vertx).createEventLoopContext();
        Gauge.builder("events.tail.lag", this, self -> self.lagMillis() / 1e3)
                .description("how long something committed has been waiting for an older transaction to end")
                .baseUnit("seconds")
                .register(metrics);
        notifier.listen(_ -> wake());
        context.runOnContext(_ -> timers.every(config.pollInterval(), this::poll));
    }

    /** Before the server waits for its open requests: streams end, and their clients resume elsewhere. */
    void stop(@Observes ShutdownDelayInitiatedEvent event) {
        subscribers.endAll();
    }

    /** How long something committed has been waiting for the horizon; 0 when nothing is. */
    private long lagMillis() {
        Long since = behindSince;
        return since == null ? 0 : (System.nanoTime() - since) / 1_000_000;
    }

    /** The log may have grown. From any thread; many calls before the next read count as one. */
    private void wake() {
        if (woken.compareAndSet(false, true)) {
            context.runOnContext(_ -> {
                woken.set(false);
                read();
            });
        }
    }

    /**
     * The subscribers of this loop, once the tail runs: whoever joins them misses nothing that is committed later. They
     * are made here, between two deliveries, so that a new loop's first batch is the one after its cursor.
     */
    Uni<EventLoopSubscribers> running(Context loop) {
        Uni<Void> running = Uni.createFrom()
                .emitter(emitter -> context.runOnContext(_ -> {
                    if (active) {
                        emitter.complete(null);
                    } else {
                        waiting.add(emitter);
                        if (waiting.size() == 1) {
                            activate();
                        }
                    }
                }));
        return running.map(_ -> subscribers.of(loop));
    }

    private void activate() {
        log.standing()
                .subscribe()
                .with(
                        standing -> context.runOnContext(_ -> {
                            cursor = standing.newest();
                            chunkCursor = standing.horizon() - 1;
                            target = standing.horizon();
                            active = true;
                            behindSince = null;
                            subscribers.deliver(List.of(), cursor, chunkCursor);
                            release().forEach(emitter -> emitter.complete(null));
                            // a wake-up that came while the horizon was looked up found nobody to read
                            read();
                        }),
                        e -> context.runOnContext(_ -> release().forEach(emitter -> emitter.fail(e))));
    }

    private List<UniEmitter<? super Void>> release() {
        List<UniEmitter<? super Void>> released = List.copyOf(waiting);
        waiting.clear();
        return released;
    }

    private void poll() {
        if (active && subscribers.none()) {
            active = false;
            behindSince = null;
        } else {
            read();
        }
    }

    private void read() {
        if (!active) {
            return;
        }
        if (reading) {
            again = true;
            return;
        }
        reading = true;
        again = false;
        // rounded: half a millisecond more of rest is that much more delay for everybody
        long rest = coalesceMillis - (System.nanoTime() - lastReadNanos + 500_000) / 1_000_000;
        if (rest > 0) {
            vertx.setTimer(rest, _ -> fetch(true));
        } else {
            fetch(true);
        }
    }

    private void fetch(boolean fresh) {
        lastReadNanos = System.nanoTime();
        log.tail(cursor, chunkCursor)
                .subscribe()
                .with(
                        batch -> context.runOnContext(_ -> took(batch, fresh)),
                        e -> context.runOnContext(_ -> failed(e)));
    }

    private void took(EventLog.LogBatch batch, boolean fresh) {
        failureLog.over();
        boolean full = batch.frames().size() == EventLog.BATCH;
        chunkCursor = full ? batch.frames().getLast().position() : batch.horizon() - 1;
        cursor = Math.max(cursor, EventLoopSubscribers.newest(batch.frames()));
        if (!batch.frames().isEmpty()) {
            subscribers.deliver(batch.frames(), cursor, chunkCursor);
            lookAgainMillis = FIRST_LOOK_AGAIN_MILLIS;
        }
        if (fresh) {
            target = Math.max(target, batch.ceiling());
        }
        if (full) {
            fetch(fresh);
        } else if (batch.horizon() < target) {
            behindSince = behindSince == null ? System.nanoTime() : behindSince;
            vertx.setTimer(lookAgainMillis, _ -> {
                boolean wokenMeanwhile = again;
                again = false;
                fetch(wokenMeanwhile);
            });
            lookAgainMillis = Math.min(LAST_LOOK_AGAIN_MILLIS, lookAgainMillis * 2);
        } else {
            behindSince = null;
            lookAgainMillis = FIRST_LOOK_AGAIN_MILLIS;
            rested();
        }
    }

    private void failed(Throwable e) {
        failureLog.met(e);
        // if Postgres has crashed, transactions that it undid gave positions that are given again
        chunkCursor = cursor;
        target = 0;
        vertx.setTimer(LAST_LOOK_AGAIN_MILLIS, _ -> rested());
    }

    private void rested() {
        reading = false;
        if (again) {
            read();
        }
    }
}
