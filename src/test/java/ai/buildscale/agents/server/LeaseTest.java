package ai.buildscale.agents.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LeaseTest {
    private static final long SECOND = 1_000_000_000;

    /** Renewed every 2 s, lost after 6 s. */
    private final ServerConfig config = DefaultConfig.read();

    private final Lease lease = new Lease(config, 0);

    @Test
    void doesNotHoldBeforeItIsRenewed() {
        assertThat(lease.holds(0)).isFalse();
        assertThat(lease.giveUp()).isFalse();
    }

    @Test
    void holdsATenthLessThanTheOthersWaitCountedFromBeforeTheRenewalWasSent() {
        long sent = 10 * SECOND;
        assertThat(lease.renewed(sent, sent + SECOND)).isTrue();

        long end = sent + config.lostAfter().toNanos() / 10 * 9;
        assertThat(lease.holds(end - 1)).isTrue();
        assertThat(lease.holds(end)).isFalse();
        assertThat(lease.left(end - 5)).isEqualTo(Duration.ofNanos(5));
        assertThat(lease.left(end + SECOND)).isEqualTo(Duration.ofNanos(1));
        assertThat(lease.age(sent + SECOND)).isEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void ownsWithoutABreakWhileItIsRenewedAndAnewOnceItWasGivenUp() {
        lease.renewed(0, 1);
        assertThat(lease.renewed(SECOND, SECOND)).isFalse();
        assertThat(lease.ownedFor(3 * SECOND + 1)).isEqualTo(Duration.ofSeconds(3));

        assertThat(lease.giveUp()).isTrue();
        assertThat(lease.giveUp()).isFalse();
        assertThat(lease.renewed(5 * SECOND, 5 * SECOND)).isTrue();
        assertThat(lease.ownedFor(6 * SECOND)).isEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void anAnswerThatComesAfterThatToALaterRenewalDoesNotShortenIt() {
        lease.renewed(2 * SECOND, 2 * SECOND);
        Duration left = lease.left(3 * SECOND);

        lease.renewed(0, 3 * SECOND);

        assertThat(lease.left(3 * SECOND)).isEqualTo(left);
    }

    @Test
    void anAnswerThatComesAfterTheEndDoesNotRenew() {
        assertThat(lease.renewed(0, 6 * SECOND)).isFalse();
        assertThat(lease.giveUp()).isFalse();
    }

    @Test
    void theTimerRenewsAfterAFailureAndOnceTheSchedulerIsLate() {
        assertThat(lease.pause(true, 0)).isEqualTo(Duration.ofMillis(500));
        lease.renewed(0, SECOND);

        Duration late = lease.pause(false, SECOND).plusSeconds(1);

        assertThat(late)
                .as("since it was sent")
                .isGreaterThan(config.leaseRenewal().plus(Lease.JITTER))
                .isEqualTo(lease.pause(false, 2 * SECOND).plusSeconds(2));
        assertThat(lease.pause(false, 5 * SECOND)).isEqualTo(Duration.ofMillis(500));
    }

    @Test
    void aRenewalASecondLateMayFailAndLeavesTimeForAnother() {
        Duration late = config.leaseRenewal().plus(Lease.JITTER);
        Duration again = late.plus(lease.patience()).plus(lease.pause(true, 0));

        assertThat(config.lostAfter().multipliedBy(9).dividedBy(10).minus(again))
                .isGreaterThan(Duration.ofMillis(500));
    }

    @ParameterizedTest
    @CsvSource({"2, 6, true", "1, 4, true", "1, 3, true", "1, 2, false", "10, 19, false", "10, 20, true"})
    void isLongEnoughForARenewalThatIsASecondLate(int renewal, int lostAfter, boolean enough) {
        assertThat(Lease.isLongEnough(Duration.ofSeconds(renewal), Duration.ofSeconds(lostAfter)))
                .isEqualTo(enough);
    }
}
