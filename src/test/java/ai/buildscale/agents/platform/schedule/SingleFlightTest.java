package ai.buildscale.agents.platform.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SingleFlightTest {
    private final List<UniEmitter<? super Void>> runs = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private final SingleFlight flight =
            new SingleFlight(() -> Uni.createFrom().<Void>emitter(runs::add), failures::add);

    @Test
    void oneRunAtATimeAndOneMoreForAllThatAskedMeanwhile() {
        flight.trigger();
        flight.trigger();
        flight.trigger();
        assertThat(runs).hasSize(1);

        runs.get(0).complete(null);
        assertThat(runs).hasSize(2);

        runs.get(1).complete(null);
        assertThat(runs).hasSize(2);
        assertThat(flight.isRunning()).isFalse();
    }

    @Test
    void aRunUnderWayIsNotRepeatedForWhoAsksIfIdle() {
        flight.triggerIfIdle();
        flight.triggerIfIdle();
        runs.get(0).complete(null);
        assertThat(runs).hasSize(1);

        flight.triggerIfIdle();
        assertThat(runs).hasSize(2);
    }

    @Test
    void aReportThatFailsHoldsNothingUp() {
        SingleFlight careless = new SingleFlight(() -> Uni.createFrom().<Void>emitter(runs::add), _ -> {
            throw new IllegalStateException("in the report");
        });
        careless.trigger();
        assertThatThrownBy(() -> runs.get(0).fail(new IllegalStateException("in the work")))
                .hasMessage("in the report");
        assertThat(careless.isRunning()).isFalse();

        careless.trigger();
        assertThat(runs).hasSize(2);
    }

    @Test
    void aFailureIsReportedAndHoldsNothingUp() {
        flight.trigger();
        flight.trigger();
        runs.get(0).fail(new IllegalStateException("first"));
        assertThat(runs).hasSize(2);
        runs.get(1).fail(new IllegalStateException("second"));

        assertThat(failures).extracting(Throwable::getMessage).containsExactly("first", "second");
        flight.trigger();
        assertThat(runs).hasSize(3);
    }

    @Test
    void workThatThrowsHoldsNothingUp() {
        AtomicInteger began = new AtomicInteger();
        SingleFlight throwing = new SingleFlight(
                () -> {
                    began.incrementAndGet();
                    throw new IllegalStateException("before it began");
                },
                failures::add);
        throwing.trigger();
        throwing.trigger();

        assertThat(began).hasValue(2);
        assertThat(failures).hasSize(2);
        assertThat(throwing.isRunning()).isFalse();
    }

    @Test
    void aRunOnALoopAnswersAllThatAskedBeforeItBegan() throws Exception {
        Vertx vertx = Vertx.vertx();
        try {
            AtomicInteger began = new AtomicInteger();
            Semaphore ended = new Semaphore(0);
            SingleFlight later = SingleFlight.onLoop(
                    vertx,
                    Duration.ofMillis(20),
                    () -> Uni.createFrom().item(began.incrementAndGet()).invoke(() -> ended.release()),
                    failures::add);
            CountDownLatch asked = new CountDownLatch(1);
            vertx.runOnContext(_ -> {
                later.trigger();
                later.trigger();
                asked.countDown();
            });
            assertThat(asked.await(5, TimeUnit.SECONDS)).isTrue();
            assertThat(ended.tryAcquire(5, TimeUnit.SECONDS)).isTrue();
            assertThat(later.isRunning()).as("it rests").isTrue();

            later.trigger();
            assertThat(ended.tryAcquire(5, TimeUnit.SECONDS)).isTrue();
            while (later.isRunning()) {
                Thread.onSpinWait();
            }
            assertThat(began).hasValue(2);
        } finally {
            vertx.close().toCompletionStage().toCompletableFuture().get(5, TimeUnit.SECONDS);
        }
    }

    @Test
    void noTriggerIsLostBetweenThreads() throws Exception {
        int threads = 8;
        int each = 2_000;
        AtomicInteger asked = new AtomicInteger();
        AtomicInteger seen = new AtomicInteger();
        AtomicInteger at = new AtomicInteger();
        AtomicInteger together = new AtomicInteger();
        try (ExecutorService pool = Executors.newFixedThreadPool(threads + 1)) {
            CountDownLatch done = new CountDownLatch(threads);
            SingleFlight rivals = new SingleFlight(
                    () -> {
                        together.accumulateAndGet(at.incrementAndGet(), Math::max);
                        seen.set(asked.get());
                        at.decrementAndGet();
                        return Uni.createFrom().voidItem().emitOn(pool);
                    },
                    failures::add);
            for (int thread = 0; thread < threads; thread++) {
                pool.execute(() -> {
                    for (int i = 0; i < each; i++) {
                        asked.incrementAndGet();
                        rivals.trigger();
                    }
                    done.countDown();
                });
            }
            assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
            while (rivals.isRunning()) {
                Thread.onSpinWait();
            }
        }

        assertThat(together).hasValue(1);
        assertThat(seen).hasValue(threads * each);
        assertThat(failures).isEmpty();
    }
}
