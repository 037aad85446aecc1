package ai.buildscale.agents.bench.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.buildscale.agents.bench.simulation.Sessions.Batch;
import ai.buildscale.agents.server.SimulatedFleet.Options;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The simulation's own rules, at a small scale. */
class SimulationTest {
    private static final Options OPTIONS = new Options(true, 0);
    private static final long SEED = 7;

    private static Losing.Outcome lose(int lost, double cores, long seed) {
        return Losing.run(new Losing.Case(12, 12_000, lost, cores, OPTIONS, Duration.ofMinutes(3)), seed);
    }

    @Test
    void eachSessionOfAServerThatIsLostIsClaimedOnce() {
        Losing.Outcome outcome = lose(4, 8, SEED);

        assertThat(outcome.recovered()).isPositive().isGreaterThan(outcome.noticed());
        assertThat(outcome.orphans()).isZero();
        assertThat(outcome.wronglyLost()).isZero();
        // the run has compared the owners of all sessions with what each member counts
        assertThat(outcome.lost()).isBetween(3_000L, 5_000L);
        assertThat(outcome.claimed()).isEqualTo(outcome.lost());
        assertThat(outcome.sessions().changes()).isEqualTo(outcome.lost() + outcome.rebalanced());
        assertThat(outcome.readAfter()).isPositive();
    }

    @Test
    void theSameSeedGivesTheSameFigures() {
        Losing.Outcome one = lose(3, 4, SEED);
        Losing.Outcome same = lose(3, 4, SEED);
        Losing.Outcome other = lose(3, 4, SEED + 1);

        assertThat(same.recovered()).isEqualTo(one.recovered());
        assertThat(same.work().allStatements()).isEqualTo(one.work().allStatements());
        assertThat(same.batches()).isEqualTo(one.batches());
        assertThat(other.recovered()).isNotEqualTo(one.recovered());
    }

    @Test
    void lessOfPostgresTakesLonger() {
        assertThat(lose(4, 0.5, SEED).recovered())
                .isGreaterThan(lose(4, 8, SEED).recovered());
    }

    @Test
    void whoJoinsGetsItsShareAndTheFleetComesToRest() {
        Joining.Outcome outcome = Joining.run(new Joining.Case(4, 40_000, 2, 8, OPTIONS), SEED);

        assertThat(outcome.calm()).isPositive();
        assertThat(outcome.moved()).isPositive().isEqualTo(outcome.sessions().changes());
        assertThat(outcome.largest()).isLessThan(1.11);
        assertThat(outcome.least()).isGreaterThan(0.8);
    }

    @Test
    void aFleetAtRestIsLeftAlone() {
        Postgres.Work work = Resting.run(5, 1_000, 0, SEED);

        assertThat(work.statements(Cost.HAND_OVER)).isZero();
        assertThat(work.statements(Cost.DECLARE)).isZero();
        assertThat(work.statements(Cost.RENEW) / Resting.seconds()).isBetween(2.0, 3.0);
        assertThat(work.statements(Cost.LOOK) / Resting.seconds()).isBetween(9.0, 10.5);
    }

    @Test
    void statementsShareTheCores() {
        Agenda agenda = new Agenda();
        Postgres postgres = new Postgres(agenda, 2);
        List<Double> ends = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            postgres.execute(Cost.POLL, 1, 1_000_000, () -> ends.add(agenda.seconds()), () -> {});
        }
        postgres.execute(Cost.POLL, 1, 100_000, () -> ends.add(agenda.seconds()), () -> {});
        agenda.pass(Duration.ofSeconds(10));

        assertThat(ends).hasSize(5).isSorted();
        assertThat(ends.getFirst()).isCloseTo(0.25, within(0.001));
        assertThat(ends.getLast()).isCloseTo(2.05, within(0.001));
        assertThat(postgres.work().allCoreSeconds()).isCloseTo(4.1, within(0.001));
    }

    @Test
    void whatIsNotDoneInTimeIsGivenUp() {
        Agenda agenda = new Agenda();
        Postgres postgres = new Postgres(agenda, 1);
        List<String> ends = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            postgres.execute(Cost.POLL, 1, 2_000_000, () -> ends.add("done"), () -> ends.add("given up"));
        }
        agenda.pass(Duration.ofSeconds(10));

        assertThat(ends).containsExactly("given up", "given up", "given up");
        assertThat(agenda.seconds()).isEqualTo(10);
        assertThat(postgres.work().abandoned(Cost.POLL)).isEqualTo(3);
        assertThat(postgres.work().allCoreSeconds()).isCloseTo(4, within(0.001));
    }

    @Test
    void aBatchPassesWhatOthersHaveLocked() {
        Sessions sessions = new Sessions(10);
        sessions.addMember();
        sessions.addMember();
        IntStream.range(0, 10).forEach(session -> sessions.place(session, 0));

        Batch first = sessions.lock(new int[] {0}, 4);
        Batch second = sessions.lock(new int[] {0}, 8);
        sessions.commit(first, new int[] {1, 1, 1, 1});
        sessions.undo(second);
        Batch third = sessions.lock(new int[] {0}, 8);

        assertThat(second.size()).isEqualTo(6);
        assertThat(second.locked()).isEqualTo(4);
        assertThat(third.size()).isEqualTo(6);
        assertThat(third.left()).isEqualTo(4);
        assertThat(sessions.count(0)).isEqualTo(6);
        assertThat(sessions.count(1)).isEqualTo(4);
        sessions.check();
    }

    @Test
    void aSessionThatIsLostOnTheWayIsFound() {
        Sessions sessions = new Sessions(2);
        sessions.addMember();
        sessions.place(0, 0);

        assertThatThrownBy(sessions::check).isInstanceOf(IllegalStateException.class);
    }
}
