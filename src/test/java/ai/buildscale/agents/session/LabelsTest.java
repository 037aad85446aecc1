package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import io.vertx.core.json.JsonObject;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LabelsTest {
    private static Map<String, String> labels(int count) {
        return IntStream.range(0, count).boxed().collect(Collectors.toMap(i -> "k" + i, i -> "v" + i));
    }

    private static void assertRefused(String field, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(Problem.class, problem -> {
            assertThat(problem.type()).isEqualTo(ProblemType.VALIDATION_ERROR);
            assertThat(problem.document("/").get("fields"))
                    .asInstanceOf(InstanceOfAssertFactories.MAP)
                    .containsOnlyKeys(field);
        });
    }

    @Test
    void noLabelsAreNoJson() {
        assertThat(Labels.json("labels", null)).isNull();
        assertThat(Labels.filter(List.of())).isNull();
    }

    @Test
    void labelsBecomeAnObject() {
        Map<String, String> labels = Map.of("team", "research", "cost/centre", "a\"b:c", "empty", "");

        assertThat(new JsonObject(Labels.json("labels", labels)).getMap()).isEqualTo(labels);
    }

    @Test
    void thereMayBeThirtyTwo() {
        assertThat(new JsonObject(Labels.json("labels", labels(32)))).hasSize(32);
        assertRefused("labels", () -> Labels.json("labels", labels(33)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "A9", "a.b-c_d/e", "012345678901234567890123456789012345678901234567890123456789012"})
    void goodKeys(String key) {
        assertThat(new JsonObject(Labels.json("labels", Map.of(key, "v"))).getString(key))
                .isEqualTo("v");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-a",
                "a-",
                "a b",
                "a:b",
                "é",
                "a\n",
                "0123456789012345678901234567890123456789012345678901234567890123"
            })
    void badKeys(String key) {
        assertRefused("labels." + key, () -> Labels.json("labels", Map.of(key, "v")));
    }

    @Test
    void valuesHaveABound() {
        assertThat(Labels.json("labels", Map.of("k", "v".repeat(255)))).contains("v".repeat(255));
        assertRefused("labels.k", () -> Labels.json("labels", Map.of("k", "v".repeat(256))));
        assertRefused("labels.k", () -> Labels.json("labels", Collections.singletonMap("k", null)));
    }

    @Test
    void aFilterTakesAllAfterTheFirstColonAsTheValue() {
        assertThat(new JsonObject(Labels.filter(List.of("team:research", "url:http://x:1", "none:"))).getMap())
                .isEqualTo(Map.of("team", "research", "url", "http://x:1", "none", ""));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "team", ":research", "-team:research", "te am:research", "team:\0"})
    void badFilters(String pair) {
        assertRefused("label", () -> Labels.filter(List.of(pair)));
    }
}
