package ai.buildscale.agents.server;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.server.FailureDetector.Suspects;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Looks at a fleet, by a clock that the test moves. */
class FailureDetectorTest {
    private static final ServerConfig CONFIG = DefaultConfig.read();
    private static final UUID ME = new UUID(0, 1);
    private static final UUID OTHER = new UUID(0, 2);
    private static final Duration LONG = Duration.ofMinutes(1);

    private long now;
    private final FailureDetector detector = new FailureDetector(CONFIG, now);

    private static Member member(UUID id, Duration silent, boolean vanished) {
        return new Member(
                id,
                "",
                null,
                ServerState.ACTIVE.toString(),
                null,
                null,
                null,
                null,
                1,
                Map.of(),
                0,
                0,
                "",
                Duration.ZERO,
                silent,
                vanished,
                false,
                false,
                null);
    }

    private static Member living(UUID id) {
        return member(id, Duration.ofSeconds(1), false);
    }

    /** A look after a while, with so many members more that live. */
    private Suspects look(Duration after, Member other, int more) {
        now += after.toNanos();
        List<Member> fleet = Stream.concat(
                        Stream.of(living(ME), other), IntStream.range(0, more).mapToObj(i -> living(new UUID(1, i))))
                .toList();
        detector.seen(fleet.size(), now);
        return detector.judge(fleet, ME, LONG, true, now);
    }

    private Suspects look(Member other) {
        return look(CONFIG.watchInterval(), other, 0);
    }

    private void watchInPeace() {
        for (int i = 0; i < 10; i++) {
            assertThat(look(living(OTHER)).none()).isTrue();
        }
    }

    @Test
    void aLeaseThatHasRunOutIsEnough() {
        watchInPeace();

        assertThat(look(member(OTHER, CONFIG.lostAfter().plusMillis(1), false)).byLease())
                .containsExactly(OTHER);
        assertThat(look(member(OTHER, CONFIG.lostAfter(), false)).none()).isTrue();
    }

    @Test
    void aConnectionMustBeGoneInTwoLooks() {
        watchInPeace();

        assertThat(look(member(OTHER, Duration.ofSeconds(1), true)).none()).isTrue();
        assertThat(look(member(OTHER, Duration.ofSeconds(1), true)).byConnection())
                .containsExactly(OTHER);
    }

    @Test
    void aConnectionThatIsBackIsForgotten() {
        watchInPeace();

        look(member(OTHER, Duration.ofSeconds(1), true));
        look(living(OTHER));

        assertThat(look(member(OTHER, Duration.ofSeconds(1), true)).none()).isTrue();
    }

    @Test
    void whoHasNotSeenTheDatabaseForLongJudgesNobody() {
        watchInPeace();
        detector.blind(now);

        assertThat(look(member(OTHER, LONG, false)).none()).isTrue();
    }

    @Test
    void whoHasSleptJudgesNobody() {
        watchInPeace();

        assertThat(look(LONG, member(OTHER, LONG, false), 0).none()).isTrue();
    }

    @Test
    void whoHasLostItsOwnLockJudgesNobodyByTheirs() {
        watchInPeace();
        List<Member> fleet = List.of(living(ME), member(OTHER, Duration.ofSeconds(1), true));
        detector.judge(fleet, ME, LONG, true, now);
        now += CONFIG.watchInterval().toNanos();

        assertThat(detector.judge(fleet, ME, LONG, false, now).none()).isTrue();
    }

    @Test
    void aLargeFleetIsLookedAtLessOftenAndJudgedAllTheSame() {
        int more = 1_998;
        for (int i = 0; i < 3; i++) {
            look(detector.pause(), living(OTHER), more);
        }
        assertThat(detector.pause()).isEqualTo(Duration.ofSeconds(10));

        assertThat(look(detector.pause(), member(OTHER, LONG, false), more).byLease())
                .containsExactly(OTHER);
    }
}
