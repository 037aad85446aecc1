package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RateLimitTest {
    private static final int PER_SECOND = 5;

    private long now = Long.MAX_VALUE - Duration.ofMinutes(1).toNanos();
    private final SimpleMeterRegistry metrics = new SimpleMeterRegistry();
    private final RateLimit limit = new RateLimit(PER_SECOND, metrics);
    private final UUID user = UUID.randomUUID();

    /** As {@code nanoTime} does, it overflows one day. */
    private void pass(Duration time) {
        now += time.toNanos();
    }

    /** How many of these calls are let in. */
    private long admitted(UUID caller, int calls) {
        return IntStream.range(0, calls).filter(_ -> isAdmitted(caller)).count();
    }

    private boolean isAdmitted(UUID caller) {
        try {
            limit.admit(caller, now);
            return true;
        } catch (Problem refusal) {
            return false;
        }
    }

    @Test
    void aBucketHoldsTwoSecondsWorth() {
        assertThat(admitted(user, 100)).isEqualTo(2 * PER_SECOND);
        assertThat(metrics.counter("requests.rate.limited").count()).isEqualTo(100 - 2 * PER_SECOND);
    }

    @Test
    void itFillsAsTimePasses() {
        admitted(user, 100);

        pass(Duration.ofMillis(199));
        assertThat(admitted(user, 10)).isZero();
        pass(Duration.ofMillis(1));
        assertThat(admitted(user, 10)).isEqualTo(1);
        pass(Duration.ofSeconds(1));
        assertThat(admitted(user, 10)).isEqualTo(PER_SECOND);
    }

    @Test
    void itNeverHoldsMore() {
        admitted(user, 100);

        pass(Duration.ofDays(1));

        assertThat(admitted(user, 100)).isEqualTo(2 * PER_SECOND);
    }

    @Test
    void aSteadyCallerIsNeverRefused() {
        for (int i = 0; i < 1_000; i++) {
            assertThatCode(() -> limit.admit(user, now)).doesNotThrowAnyException();
            pass(Duration.ofMillis(1_000 / PER_SECOND));
        }
    }

    @Test
    void callersDoNotShareABucket() {
        admitted(user, 100);

        assertThat(admitted(UUID.randomUUID(), 100)).isEqualTo(2 * PER_SECOND);
    }

    @Test
    void aClockThatGoesBackGivesNothing() {
        admitted(user, 100);

        pass(Duration.ofHours(-1));
        assertThat(admitted(user, 10)).isZero();
        pass(Duration.ofSeconds(1));
        assertThat(admitted(user, 10)).isEqualTo(PER_SECOND);
    }

    @Test
    void aRefusalSaysWhenToComeBack() {
        admitted(user, 100);

        assertThatThrownBy(() -> limit.admit(user, now)).isInstanceOfSatisfying(Problem.class, problem -> {
            assertThat(problem.type()).isEqualTo(ProblemType.RATE_LIMITED);
            assertThat(problem.retryAfterSeconds()).hasValue(1);
        });
    }

    @Test
    void noneMeansNoLimit() {
        RateLimit none = new RateLimit(0, metrics);

        for (int i = 0; i < 10_000; i++) {
            none.admit(user, now);
        }
        assertThat(metrics.counter("requests.rate.limited").count()).isZero();
    }
}
