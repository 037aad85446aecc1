package ai.buildscale.agents.session;

import static ai.buildscale.agents.session.SessionStatus.CANCELLED;
import static ai.buildscale.agents.session.SessionStatus.COMPLETED;
import static ai.buildscale.agents.session.SessionStatus.ERROR;
import static ai.buildscale.agents.session.SessionStatus.IDLE;
import static ai.buildscale.agents.session.SessionStatus.PAUSED;
import static ai.buildscale.agents.session.SessionStatus.RUNNING;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SessionStatusTest {
    /** The contract's table, written a second time. */
    private static final Map<SessionStatus, Set<SessionStatus>> SUCCESSORS = Map.of(
            IDLE, Set.of(RUNNING, PAUSED, CANCELLED),
            RUNNING, Set.of(IDLE, PAUSED, COMPLETED, CANCELLED, ERROR),
            PAUSED, Set.of(IDLE, RUNNING, COMPLETED, CANCELLED),
            COMPLETED, Set.of(),
            CANCELLED, Set.of(),
            ERROR, Set.of());

    @ParameterizedTest
    @EnumSource
    void mayBeFollowedByWhatTheContractSays(SessionStatus status) {
        assertThat(status.successors()).isEqualTo(SUCCESSORS.get(status));
    }

    @ParameterizedTest
    @EnumSource
    void isTerminalIfNothingFollows(SessionStatus status) {
        assertThat(status.isTerminal())
                .isEqualTo(Set.of(COMPLETED, CANCELLED, ERROR).contains(status));
    }

    @ParameterizedTest
    @EnumSource
    void namesItsSuccessorsAsTheWireDoes(SessionStatus status) {
        assertThat(status.allowedTransitions())
                .containsExactlyElementsOf(status.successors().stream()
                        .map(Enum::name)
                        .map(String::toLowerCase)
                        .toList());
    }
}
