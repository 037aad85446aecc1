package ai.buildscale.agents.server;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.server.RebalancePolicy.Candidate;
import ai.buildscale.agents.server.RebalancePolicy.PlannedMove;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RebalancePolicyTest {
    private static final int CAPACITY = 10_000;

    private static UUID id(int number) {
        return new UUID(0, number);
    }

    private static Candidate server(int number, long sessions) {
        return new Candidate(id(number), sessions, CAPACITY, (double) sessions / CAPACITY, true);
    }

    private static List<Candidate> fleet(long... sessions) {
        return IntStream.range(0, sessions.length)
                .mapToObj(i -> server(i, sessions[i]))
                .toList();
    }

    private static List<Candidate> after(List<Candidate> fleet, List<PlannedMove> moves) {
        return fleet.stream()
                .map(server -> {
                    long sessions = server.sessions();
                    for (PlannedMove move : moves) {
                        sessions -= move.from().equals(server.id()) ? move.sessions() : 0;
                        sessions += move.to().equals(server.id()) ? move.sessions() : 0;
                    }
                    return new Candidate(
                            server.id(), sessions, server.capacity(), (double) sessions / server.capacity(), true);
                })
                .toList();
    }

    @Test
    void leavesWhatIsWithinTheBand() {
        assertThat(RebalancePolicy.plan(fleet(1_000, 1_050, 950))).isEmpty();
        assertThat(RebalancePolicy.plan(fleet(4, 0, 0)))
                .as("a handful is not worth it")
                .isEmpty();
        assertThat(RebalancePolicy.plan(fleet(1_000))).isEmpty();
        assertThat(RebalancePolicy.plan(List.of())).isEmpty();
        assertThat(RebalancePolicy.plan(fleet(0, 0))).isEmpty();
    }

    @Test
    void aServerThatJoinsIsGivenAFifthOfEachAtMost() {
        List<PlannedMove> moves = RebalancePolicy.plan(fleet(900, 900, 900, 0));

        assertThat(moves).hasSize(3).allSatisfy(move -> {
            assertThat(move.to()).isEqualTo(id(3));
            assertThat(move.sessions()).isEqualTo(180);
        });
    }

    @Test
    void aBurstThatEndsIsLeftAlone() {
        Candidate burst = new Candidate(id(0), 2_000, CAPACITY, 0.1, true);

        assertThat(RebalancePolicy.plan(List.of(burst, server(1, 1_000), server(2, 1_000))))
                .isEmpty();
    }

    @Test
    void whatHasJustBeenGivenAwayIsNotGivenAgain() {
        Candidate relieved = new Candidate(id(0), 1_000, CAPACITY, 0.2, true);

        assertThat(RebalancePolicy.plan(List.of(relieved, server(1, 1_000)))).isEmpty();
    }

    @Test
    void whoTakesNoSessionsIsLeftOut() {
        Candidate cordoned = new Candidate(id(1), 0, CAPACITY, 0, false);

        assertThat(RebalancePolicy.plan(List.of(server(0, 1_000), cordoned))).isEmpty();
    }

    @Test
    void capacityIsAWeight() {
        Candidate small = new Candidate(id(0), 1_000, 1_000, 1.0, true);
        Candidate large = new Candidate(id(1), 1_000, 9_000, 1.0 / 9, true);

        List<PlannedMove> moves = RebalancePolicy.plan(List.of(small, large));

        assertThat(moves).containsExactly(new PlannedMove(id(0), id(1), 200));
    }

    @Test
    void comesToAnEndWithinTheBandAndNeverOvershoots() {
        List<Candidate> fleet = fleet(30_000, 20_000, 1, 0, 5_000, 0);
        long total = fleet.stream().mapToLong(Candidate::sessions).sum();
        double share = total / 6.0;
        List<Long> most = new ArrayList<>();
        int cycles = 0;
        for (List<PlannedMove> moves = RebalancePolicy.plan(fleet);
                !moves.isEmpty();
                moves = RebalancePolicy.plan(fleet)) {
            for (PlannedMove move : moves) {
                assertThat(move.sessions()).isPositive().isLessThanOrEqualTo(RebalancePolicy.CYCLE_MOST);
            }
            fleet = after(fleet, moves);
            most.add(fleet.stream().mapToLong(Candidate::sessions).max().orElseThrow());
            assertThat(fleet.stream().mapToLong(Candidate::sessions).sum()).isEqualTo(total);
            assertThat(++cycles).isLessThan(30);
        }

        assertThat(most).isSortedAccordingTo(java.util.Comparator.reverseOrder());
        assertThat(fleet).allMatch(server -> server.sessions() <= share * (1 + RebalancePolicy.DEAD_BAND));
    }
}
