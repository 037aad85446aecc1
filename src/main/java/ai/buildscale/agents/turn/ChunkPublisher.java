package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.session.SessionPlacement;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/** Publishes the chunks of all running turns of this server in one statement every few milliseconds. */
@ApplicationScoped
class ChunkPublisher {
    private static final int MOST = 2_000;
    private static final long LAPSED_MILLIS = 200;

    private final FailureLog failureLog = new FailureLog(ChunkPublisher.class, "what agents say is not shown");
    private final TurnRepository turns;
    private final SessionPlacement placement;
    private final Notifier notifier;
    private final Vertx vertx;
    private final long intervalNanos;
    private final Set<AnswerStream> speaking = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean underWay = new AtomicBoolean();
    private volatile boolean hurry;
    private volatile long resting = -1;
    private volatile long lastShown = System.nanoTime() - Integer.MAX_VALUE;

    private record Shown(AnswerStream speech, AnswerPiece piece) {}

    ChunkPublisher(
            TurnRepository turns, SessionPlacement placement, Notifier notifier, Vertx vertx, TurnConfig config) {
        this.turns = turns;
        this.placement = placement;
        this.notifier = notifier;
        this.vertx = vertx;
        this.intervalNanos = config.chunkInterval().toNanos();
    }

    /** Publishes what the answer has more than is shown, with the next statement. May be called from any thread. */
    void publish(AnswerStream speech) {
        speaking.add(speech);
        schedule();
    }

    /** Publishes the rest of an answer without waiting for the interval: the end of its turn waits for it. */
    void publishNow(AnswerStream speech) {
        hurry = true;
        publish(speech);
        if (vertx.cancelTimer(resting)) {
            vertx.runOnContext(_ -> show());
        }
    }

    private void schedule() {
        if (!speaking.isEmpty() && underWay.compareAndSet(false, true)) {
            long rest = hurry ? 0 : (intervalNanos - (System.nanoTime() - lastShown)) / 1_000_000;
            if (rest > 0) {
                resting = vertx.setTimer(rest, _ -> show());
            } else {
                vertx.runOnContext(_ -> show());
            }
        }
    }

    private void show() {
        hurry = false;
        if (placement.self() == null) {
            // its lease has lapsed: they are shown once it holds again, or abandoned
            vertx.setTimer(LAPSED_MILLIS, _ -> show());
            return;
        }
        List<Shown> spoken = new ArrayList<>();
        UUID self = placement.self();
        for (Iterator<AnswerStream> each = speaking.iterator(); each.hasNext() && spoken.size() < MOST; ) {
            AnswerStream speech = each.next();
            each.remove();
            AnswerPiece piece = self == null ? null : speech.unshown();
            if (piece != null) {
                spoken.add(new Shown(speech, piece));
            }
        }
        lastShown = System.nanoTime();
        if (spoken.isEmpty()) {
            done();
            return;
        }
        turns.show(self, spoken.stream().map(Shown::piece).toList())
                .subscribe()
                .with(
                        taken -> {
                            failureLog.over();
                            notifier.appended();
                            done();
                            spoken.forEach(each -> each.speech()
                                    .shown(taken.contains(each.piece().fence().turn())));
                        },
                        e -> {
                            failureLog.met(e);
                            done();
                            spoken.forEach(each -> each.speech().notShown(each.piece()));
                        });
    }

    private void done() {
        underWay.set(false);
        schedule();
    }
}
