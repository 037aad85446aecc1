package ai.buildscale.agents.platform.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class JobsTest {
    private static final Duration EVERY = Duration.ofSeconds(5);
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final Jobs jobs = new Jobs(null, null);
    private long now = System.nanoTime();
    private int runs;
    private UniEmitter<? super Void> open;

    private Uni<Void> work() {
        runs++;
        return Uni.createFrom().voidItem();
    }

    private void scheduled() {
        jobs.run("work", EVERY, this::work, now).subscribe().with(_ -> {});
    }

    private void pass(Duration time) {
        for (Duration passed = Duration.ZERO; passed.compareTo(time) < 0; passed = passed.plus(SECOND)) {
            now += SECOND.toNanos();
            jobs.callOverdue(now);
        }
    }

    @Test
    void nobodyElseCallsWhatIsCalledInTime() {
        for (int i = 1; i <= 10; i++) {
            scheduled();
            pass(EVERY.plusSeconds(2));
            assertThat(runs).isEqualTo(i);
        }
    }

    @Test
    void goesOnAtItsIntervalWhileTheSchedulerWaitsForTheWallClockToComeBack() {
        scheduled();

        pass(Duration.ofHours(1));

        assertThat(runs).isBetween(719, 721);
    }

    @Test
    void isLeftToTheSchedulerAgain() {
        scheduled();
        pass(Duration.ofMinutes(1));
        int before = runs;

        scheduled();
        pass(EVERY);

        assertThat(runs).isEqualTo(before + 1);
    }

    @Test
    void isNotBegunTwiceAtOnce() {
        jobs.run("work", EVERY, () -> work().chain(() -> Uni.createFrom().emitter(emitter -> open = emitter)), now)
                .subscribe()
                .with(_ -> {});

        pass(Duration.ofMinutes(1));
        scheduled();
        assertThat(runs).isEqualTo(1);

        open.complete(null);
        scheduled();
        assertThat(runs).isEqualTo(2);
    }

    @Test
    void aFailureDoesNotKeepTheNextFromItsTurn() {
        jobs.run(
                        "work",
                        EVERY,
                        () -> {
                            runs++;
                            throw new IllegalStateException("as a test");
                        },
                        now)
                .subscribe()
                .with(_ -> {}, _ -> {});

        pass(Duration.ofMinutes(1));

        assertThat(runs).isGreaterThan(10);
    }
}
