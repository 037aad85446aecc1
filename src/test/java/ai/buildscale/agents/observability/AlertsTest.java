package ai.buildscale.agents.observability;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.observability.Deployed.Alert;
import ai.buildscale.agents.observability.PromQl.Condition;
import ai.buildscale.agents.observability.PromQl.Selector;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Alert rules, runbook and dashboard as files; whether the metrics exist is for {@link ObservabilityIT}. */
class AlertsTest {
    private static final String PREFIX = "AgentSessions";
    private static final Condition OURS = new Condition("job", "=", "agent-sessions");
    private static final Predicate<String> COUNTED =
            Pattern.compile("_(total|count|sum|bucket)$").asPredicate();

    static List<Alert> alerts() {
        return Deployed.alerts();
    }

    static Set<Map.Entry<String, String>> expressions() {
        return Deployed.expressions().entrySet();
    }

    @ParameterizedTest
    @MethodSource("alerts")
    void eachAlertSaysWhatAnOperatorNeeds(Alert alert) {
        assertThat(alert.name()).startsWith(PREFIX);
        assertThat(alert.pause()).matches("\\d+m");
        assertThat(alert.labels()).containsOnlyKeys("severity");
        assertThat(alert.labels().get("severity")).isIn("critical", "warning");
        assertThat(alert.texts()).containsOnlyKeys("summary", "description", "runbook_url");
        assertThat(alert.texts().get("summary")).isNotBlank().doesNotContain("{{", "\n");
        assertThat(alert.texts().get("description")).isNotBlank();
        assertThat(alert.texts().get("runbook_url"))
                .isEqualTo(Deployed.RUNBOOK + "#" + alert.name().toLowerCase(Locale.ROOT));
    }

    @Test
    void eachAlertIsOneAndHasItsSectionInTheRunbookAndTheOtherWayRound() {
        List<String> names = alerts().stream().map(Alert::name).toList();
        List<String> sections = Deployed.runbook().keySet().stream()
                .filter(heading -> heading.startsWith(PREFIX))
                .toList();

        assertThat(names).hasSizeGreaterThan(20).doesNotHaveDuplicates();
        assertThat(sections).as("in the order of the rules").isEqualTo(names);
    }

    @ParameterizedTest
    @MethodSource("alerts")
    void eachSectionSaysWhatToDo(Alert alert) {
        assertThat(Deployed.runbook().get(alert.name()))
                .containsSubsequence("**Means.**", "**See.**", "**Do.**", "**Do not.**");
    }

    @ParameterizedTest
    @MethodSource("expressions")
    void eachExpressionIsOfThisServiceAlone(Map.Entry<String, String> expression) {
        assertThat(PromQl.read(expression.getValue()).selectors())
                .allSatisfy(selector -> assertThat(selector.conditions()).contains(OURS));
    }

    @ParameterizedTest
    @MethodSource("expressions")
    void whatIsCountedIsReadAsARate(Map.Entry<String, String> expression) {
        assertThat(PromQl.read(expression.getValue()).selectors()).allSatisfy(selector -> {
            if (Set.of("rate", "increase").contains(selector.function())) {
                assertThat(selector.metric()).matches(COUNTED);
            } else {
                assertThat(selector.metric()).matches(COUNTED.negate());
            }
        });
    }

    /** A page that waits asks again every two seconds: beside many of those nothing else would be a share worth an alert. */
    @ParameterizedTest
    @CsvSource({
        "/api/v1/agent-sessions/{id},                      SUCCESS,      true",
        "/api/v1/agent-sessions/{id},                      CLIENT_ERROR, true",
        "/api/v1/agent-sessions/{id},                      SERVER_ERROR, true",
        "/api/v1/agent-sessions/{id}/events,               SUCCESS,      true",
        "/api/v1/agent-hosts/{id}/turns/{turn}/events,     SUCCESS,      true",
        "/unmatched,                                       SERVER_ERROR, true",
        "/unmatched,                                       SUCCESS,      false",
        "/unmatched,                                       CLIENT_ERROR, false",
        "/api/v1/workspaces/{id}/events,                   SUCCESS,      false",
        "/api/v1/workspaces/{id}/events,                   SERVER_ERROR, false",
        "/api/v1/workspaces/{id}/chats/{chat}/events,      SUCCESS,      false",
        "/api/v1/agent-hosts/{id}/work,                    SUCCESS,      false"
    })
    void whatFailsIsAShareOfWhatCouldFail(String uri, String outcome, boolean counts) {
        Alert alert = alerts().stream()
                .filter(one -> one.name().equals("AgentSessionsRequestsFailing"))
                .findFirst()
                .orElseThrow();
        List<Selector> wanting = PromQl.read(alert.expression()).selectors().stream()
                .filter(selector -> selector.matches(Map.of("uri", uri, "outcome", outcome)))
                .toList();

        assertThat(wanting.stream().anyMatch(selector -> !selector.excluded())
                        && wanting.stream().noneMatch(Selector::excluded))
                .isEqualTo(counts);
    }

    @Test
    void theRuleIsOneOfThePrometheusOperator() {
        JsonNode rule = Deployed.rule();

        assertThat(rule.get("apiVersion").asText()).isEqualTo("monitoring.coreos.com/v1");
        assertThat(rule.get("kind").asText()).isEqualTo("PrometheusRule");
        assertThat(rule.at("/spec/groups").findValuesAsText("name"))
                .isNotEmpty()
                .doesNotHaveDuplicates();
        rule.at("/spec/groups")
                .forEach(group -> assertThat(group.properties().stream().map(Map.Entry::getKey))
                        .containsExactlyInAnyOrder("name", "rules"));
    }

    @Test
    void theDashboardFollowsItsVariables() {
        JsonNode dashboard = Deployed.dashboard();
        List<String> variables = dashboard.at("/templating/list").findValuesAsText("name");

        assertThat(variables).containsExactly("datasource", "namespace", "instance");
        Deployed.queries().forEach((where, query) -> {
            if (!variables.contains(where)) {
                assertThat(query).as(where).contains("namespace=~\"$namespace\"", "instance=~\"$instance\"");
            }
        });
        assertThat(dashboard.findValues("datasource"))
                .isNotEmpty()
                .allSatisfy(source -> assertThat(source.path("uid").asText()).isEqualTo("${datasource}"));
    }

    @Test
    void theDashboardsPanelsStandBesideEachOther() {
        Set<String> taken = new HashSet<>();
        Set<Integer> ids = new HashSet<>();
        for (JsonNode panel : Deployed.dashboard().get("panels")) {
            JsonNode place = panel.get("gridPos");
            assertThat(ids.add(panel.get("id").asInt()))
                    .as("id of " + panel.get("title"))
                    .isTrue();
            for (int x = 0; x < place.get("w").asInt(); x++) {
                for (int y = 0; y < place.get("h").asInt(); y++) {
                    int column = place.get("x").asInt() + x;
                    assertThat(column).isLessThan(24);
                    assertThat(taken.add(column + "," + (place.get("y").asInt() + y)))
                            .as("place of " + panel.get("title"))
                            .isTrue();
                }
            }
        }
    }
}
