package ai.buildscale.agents.turn;

import static ai.buildscale.agents.turn.TurnState.DONE;
import static ai.buildscale.agents.turn.TurnState.FAILED;
import static ai.buildscale.agents.turn.TurnState.PARKED;
import static ai.buildscale.agents.turn.TurnState.PAUSED;
import static ai.buildscale.agents.turn.TurnState.RUNNING;
import static ai.buildscale.agents.turn.TurnState.STOPPED;
import static ai.buildscale.agents.turn.TurnState.WAITING;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class TurnStateTest {
    /** What the statements do, written a second time. */
    private static final Map<TurnState, Set<TurnState>> SUCCESSORS = Map.of(
            RUNNING, Set.of(TurnState.values()),
            PARKED, Set.of(RUNNING, PAUSED, STOPPED),
            PAUSED, Set.of(RUNNING, STOPPED),
            WAITING, Set.of(RUNNING, STOPPED),
            DONE, Set.of(),
            STOPPED, Set.of(),
            FAILED, Set.of());

    static Stream<Arguments> pairs() {
        return Stream.of(TurnState.values())
                .flatMap(from -> Stream.of(TurnState.values()).map(to -> Arguments.of(from, to)));
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void mayBecomeWhatItsSuccessorsAreOrStay(TurnState from, TurnState to) {
        assertThat(from.mayBecome(to))
                .isEqualTo(from == to || SUCCESSORS.get(from).contains(to));
    }

    @ParameterizedTest
    @EnumSource
    void isTerminalIfNothingFollows(TurnState state) {
        assertThat(state.isTerminal()).isEqualTo(Set.of(DONE, STOPPED, FAILED).contains(state));
    }

    @ParameterizedTest
    @EnumSource
    void isKnownByTheNameThatTheDatabaseHas(TurnState state) {
        assertThat(TurnState.known(state.name().toLowerCase(Locale.ROOT))).isEqualTo(state);
        assertThat(TurnState.known(state.name().toLowerCase(Locale.ROOT) + "_again"))
                .isNull();
    }
}
