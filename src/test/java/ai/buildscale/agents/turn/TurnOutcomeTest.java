package ai.buildscale.agents.turn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.turn.TurnOutcome.Done;
import ai.buildscale.agents.turn.TurnOutcome.Failed;
import ai.buildscale.agents.turn.TurnOutcome.Parked;
import ai.buildscale.agents.turn.TurnOutcome.Paused;
import ai.buildscale.agents.turn.TurnOutcome.Returned;
import ai.buildscale.agents.turn.TurnOutcome.Spent;
import ai.buildscale.agents.turn.TurnOutcome.Stopped;
import ai.buildscale.agents.turn.TurnOutcome.Waiting;
import io.vertx.core.json.JsonObject;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TurnOutcomeTest {
    private static final UUID QUESTION = Ids.next();

    static Stream<Arguments> outcomes() {
        return Stream.of(
                Arguments.of(new Done(), "done", TurnState.DONE, null, null),
                Arguments.of(new Failed("no"), "failed", TurnState.FAILED, null, "no"),
                Arguments.of(new Stopped("yielded"), "stopped", TurnState.STOPPED, "yielded", null),
                Arguments.of(
                        new Waiting(QUESTION, "Which?", "{\"a\":1}"), "waiting", TurnState.WAITING, null, "Which?"),
                Arguments.of(new Paused("paused"), "paused", TurnState.PAUSED, "paused", null),
                Arguments.of(new Spent(Spent.TIME), "spent", TurnState.PAUSED, Spent.TIME, null),
                Arguments.of(new Parked(), "parked", TurnState.PARKED, null, null),
                Arguments.of(new Returned(), "returned", TurnState.PAUSED, null, null));
    }

    @ParameterizedTest
    @MethodSource("outcomes")
    void leavesTheTurnInItsStateAndSaysWhy(
            TurnOutcome outcome, String ending, TurnState state, String reason, String message) {
        FencingToken fence = new FencingToken(Ids.next(), Ids.next(), Ids.next(), 3);

        JsonObject closing = new TurnClosing(fence, outcome, "so far", new TurnUsage(1, 2, 3)).json();

        assertThat(outcome.state()).isEqualTo(state);
        assertThat(TurnState.RUNNING.mayBecome(state)).isTrue();
        assertThat(closing.getString("ending")).isEqualTo(ending);
        assertThat(closing.getString("reason")).isEqualTo(reason);
        assertThat(closing.getString("message")).isEqualTo(message);
        assertThat(closing.getString("said")).isEqualTo("so far");
        assertThat(closing.getLong("epoch")).isEqualTo(3);
        assertThat(closing.getLong("worked_ms")).isEqualTo(3);
        boolean asks = outcome instanceof Waiting;
        assertThat(closing.getString("question_id")).isEqualTo(asks ? QUESTION.toString() : null);
        assertThat(closing.getJsonObject("schema")).isEqualTo(asks ? new JsonObject().put("a", 1) : null);
    }

    @ParameterizedTest
    @MethodSource("outcomes")
    void isReadByItsName(TurnOutcome outcome, String ending) {
        if (!(outcome instanceof Waiting)) {
            assertThat(TurnOutcome.named(ending, outcome.why())).isEqualTo(outcome);
        }
    }

    @Test
    void isNotReadByAnotherName() {
        assertThatThrownBy(() -> TurnOutcome.named("abandoned", null)).hasMessageContaining("abandoned");
    }

    @ParameterizedTest
    @MethodSource("outcomes")
    void saysNoMoreThanMayBeWritten(TurnOutcome outcome) {
        assertThat(outcome.limited()).isEqualTo(outcome);
        String text = "x".repeat(5_000);
        assertThat(new Failed(text).limited().why()).hasSize(4_000);
        assertThat(new Waiting(QUESTION, text, null).limited().why()).hasSize(4_000);
    }
}
