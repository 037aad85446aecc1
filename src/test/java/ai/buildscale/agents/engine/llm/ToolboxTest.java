package ai.buildscale.agents.engine.llm;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.session.AgentType;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ToolboxTest {
    /** The time, told by whoever does what the test wants. */
    private record Clockwork(Supplier<Uni<String>> work) implements Tool {
        @Override
        public String name() {
            return "current_time";
        }

        @Override
        public String description() {
            return name();
        }

        @Override
        public JsonObject parameters() {
            return new JsonObject();
        }

        @Override
        public Uni<String> run(Invocation invocation) {
            return work.get();
        }
    }

    private static List<Output> perform(Supplier<Uni<String>> work, String tool, String args) {
        return new Toolbox(List.of(new Clockwork(work)), Duration.ofMillis(100))
                .perform(new Output.Call("c", tool, args), LlmFixture.turn(AgentType.PLANNER, "Hi"))
                .await()
                .atMost(LlmFixture.SOON);
    }

    private static List<Output> perform(Supplier<Uni<String>> work) {
        return perform(work, "current_time", "{}");
    }

    private static List<Output> perform(String tool, String args) {
        return perform(() -> Uni.createFrom().item("ran"), tool, args);
    }

    @Test
    void observesWhatAToolSays() {
        assertThat(perform(() -> Uni.createFrom().item("ran")))
                .containsExactly(new Output.Observation("c", "ran", true));
    }

    @Test
    void doesNotWaitForOneThatHangs() {
        assertThat(perform(() -> Uni.createFrom().nothing()))
                .containsExactly(new Output.Observation("c", "It took too long", false));
    }

    @Test
    void tellsNothingOfWhatBroke() {
        Output failed = new Output.Observation("c", "It failed", false);

        assertThat(perform(() -> Uni.createFrom().failure(new IllegalStateException("secret"))))
                .containsExactly(failed);
        assertThat(perform(() -> {
                    throw new IllegalStateException("secret");
                }))
                .containsExactly(failed);
    }

    @Test
    void tellsAModelWhatItDidWrong() {
        assertThat(perform(() -> Uni.createFrom().failure(new IllegalArgumentException("There is no such zone"))))
                .containsExactly(new Output.Observation("c", "There is no such zone", false));
    }

    @Test
    void cutsWhatIsTooLong() {
        assertThat(perform(() -> Uni.createFrom().item("x".repeat(100_000))))
                .first()
                .isInstanceOfSatisfying(
                        Output.Observation.class,
                        seen -> assertThat(seen.output()).hasSizeLessThan(33_000));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    ask_user    | {}                  | The argument "question" is missing
                    ask_user    | []                  | The arguments are not a JSON object
                    set_task    | {"task": 5}         | The argument "task" is missing
                    switch_mode | {"mode": "party"}   | There is no mode party
                    rm_rf       | {}                  | There is no tool rm_rf""")
    void refusesWhatMakesNoSense(String tool, String args, String why) {
        assertThat(perform(tool, args)).containsExactly(new Output.Observation("c", why, false));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    {"type":"boolean"}             | {"type":"boolean"}
                    "{\\"type\\":\\"boolean\\"}"   | {"type":"boolean"}
                    {"type":"anything"}            | {"type":"string"}
                    "yes or no"                    | {"type":"string"}
                    5                              | {"type":"string"}
                    null                           | {"type":"string"}""")
    void asksWithASchemaThatCanBeMet(String given, String schema) {
        assertThat(perform("ask_user", "{\"question\":\"Go on?\",\"schema\":" + given + "}"))
                .containsExactly(new Output.Question("Go on?", schema));
    }
}
