package ai.buildscale.agents.observability;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.observability.PromQl.Condition;
import ai.buildscale.agents.observability.PromQl.Selector;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PromQlTest {
    @Test
    void saysWhichSeriesAreWanted() {
        PromQl read = PromQl.read("""
                sum by (namespace, le) (rate(a_total{job="x", outcome!~"ok|no"}[5m])) / on (pod) max(b) > 0.5
                and absent(c{}) == 1""");

        assertThat(read.selectors())
                .containsExactly(
                        new Selector(
                                "a_total",
                                List.of(new Condition("job", "=", "x"), new Condition("outcome", "!~", "ok|no")),
                                "rate",
                                true,
                                false),
                        new Selector("b", List.of(), "max", false, false),
                        new Selector("c", List.of(), "absent", false, false));
        assertThat(read.groupings()).containsExactlyInAnyOrder("namespace", "le", "pod");
    }

    @Test
    void saysWhichSeriesAreTakenAway() {
        PromQl read = PromQl.read("sum(a unless rate(b[5m]) > 0 unless (c or d) and e) + f unless g or h");

        assertThat(read.selectors().stream().filter(Selector::excluded).map(Selector::metric))
                .containsExactly("b", "c", "d", "g");
    }

    @Test
    void aSelectorWantsTheSeriesThatMeetItsConditions() {
        Selector selector = PromQl.read("a{job=\"x\", uri!~\"/a/.*|/b\", status!=\"200\"}")
                .selectors()
                .getFirst();

        assertThat(selector.matches(Map.of("uri", "/c", "status", "503"))).isTrue();
        assertThat(selector.matches(Map.of("uri", "/a/b", "status", "503"))).isFalse();
        assertThat(selector.matches(Map.of("uri", "/c", "status", "200"))).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "up",
                "up > 1",
                "-up",
                "1 + 2 * up",
                "sum(up) by (job)",
                "topk(10, histogram_quantile(0.99, sum by (le) (rate(a_bucket[$__rate_interval]))))",
                "up{path=\"/a/{id}\", text=\"with \\\" and )\"}"
            })
    void readsWhatIsRight(String expression) {
        assertThat(PromQl.read(expression).selectors()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "1 + 2",
                "sum(up",
                "sum(up))",
                "sum()",
                "summe(up)",
                "sum by (job up)",
                "up up",
                "up >",
                "/ up",
                "up and",
                "rate(up)",
                "rate(up[5])",
                "sum(up[5m])",
                "up[5m]",
                "up{job}",
                "up{job=x}",
                "up{job=\"x\"",
                "up{job=\"x\" code=\"y\"}",
                "up ? 1"
            })
    void complainsOfWhatIsWrong(String expression) {
        assertThatThrownBy(() -> PromQl.read(expression)).isInstanceOf(IllegalArgumentException.class);
    }
}
