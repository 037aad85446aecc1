package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SessionCommandTest {
    /** Where the command may lead; resume goes back to what was paused, or to running with a task. */
    private static Set<SessionStatus> targets(SessionCommand command) {
        return command == SessionCommand.RESUME
                ? EnumSet.of(SessionStatus.IDLE, SessionStatus.RUNNING)
                : EnumSet.of(command.target());
    }

    @ParameterizedTest
    @EnumSource
    void leadsOnlyWhereTheLifecycleGoes(SessionCommand command) {
        assertThat(command.sources())
                .isNotEmpty()
                .allSatisfy(source -> assertThat(source.successors()).containsAll(targets(command)));
    }

    @ParameterizedTest
    @EnumSource
    void everySuccessorIsReachedByACommand(SessionStatus status) {
        Set<SessionStatus> reached = Arrays.stream(SessionCommand.values())
                .filter(command -> command.sources().contains(status))
                .flatMap(command -> targets(command).stream())
                .collect(Collectors.toSet());

        assertThat(reached).isEqualTo(status.successors());
    }

    @ParameterizedTest
    @EnumSource
    void tellsTheStatementTheWireNamesOfItsSources(SessionCommand command) {
        assertThat(command.from())
                .containsExactlyInAnyOrder(
                        command.sources().stream().map(SessionStatus::toString).toArray(String[]::new));
    }
}
