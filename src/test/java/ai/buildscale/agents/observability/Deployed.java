package ai.buildscale.agents.observability;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What operators are given: the alert rules, the dashboard and the runbook, as they lie in the project. */
final class Deployed {
    static final Path RUNBOOK = Path.of("src/docs/runbook.md");

    private static final Path ALERTS = Path.of("deploy/observability/alerts.yaml");
    private static final Path DASHBOARD = Path.of("deploy/observability/dashboard.json");
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern LABEL_VALUES = Pattern.compile("label_values\\((.+), \\w+\\)");
    private static final Pattern SECTION = Pattern.compile("^## (.+)\\R+((?:(?!^## ).*\\R?)*)", Pattern.MULTILINE);

    private Deployed() {}

    record Alert(String name, String expression, String pause, Map<String, String> labels, Map<String, String> texts) {}

    static JsonNode rule() {
        return read(YAML, ALERTS);
    }

    static List<Alert> alerts() {
        return rule().at("/spec/groups")
                .valueStream()
                .flatMap(group -> group.get("rules").valueStream())
                .map(rule -> new Alert(
                        rule.path("alert").asText(),
                        rule.path("expr").asText(),
                        rule.path("for").asText(),
                        texts(rule.path("labels")),
                        texts(rule.path("annotations"))))
                .toList();
    }

    static JsonNode dashboard() {
        return read(JSON, DASHBOARD);
    }

    /** Every panel's and variable's, by where it stands. */
    static Map<String, String> queries() {
        Map<String, String> queries = new LinkedHashMap<>();
        dashboard()
                .get("panels")
                .forEach(panel -> panel.path("targets")
                        .forEach(target -> queries.put(
                                panel.get("title").asText() + " "
                                        + target.get("refId").asText(),
                                target.get("expr").asText())));
        dashboard()
                .at("/templating/list")
                .valueStream()
                .filter(variable -> variable.get("type").asText().equals("query"))
                .forEach(variable -> {
                    Matcher values =
                            LABEL_VALUES.matcher(variable.at("/query/query").asText());
                    queries.put(variable.get("name").asText(), values.matches() ? values.group(1) : "");
                });
        return queries;
    }

    /** The expressions of alerts and queries, by their names. */
    static Map<String, String> expressions() {
        Map<String, String> all = new LinkedHashMap<>(queries());
        alerts().forEach(alert -> all.put(alert.name(), alert.expression()));
        return all;
    }

    /** The runbook's sections by their headings. */
    static Map<String, String> runbook() {
        try {
            Map<String, String> sections = new LinkedHashMap<>();
            SECTION.matcher(Files.readString(RUNBOOK))
                    .results()
                    .forEach(section -> sections.put(section.group(1), section.group(2)));
            return sections;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<String, String> texts(JsonNode object) {
        Map<String, String> texts = new LinkedHashMap<>();
        object.properties()
                .forEach(text -> texts.put(text.getKey(), text.getValue().asText()));
        return texts;
    }

    private static JsonNode read(ObjectMapper mapper, Path file) {
        try {
            return mapper.readTree(Files.readString(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Stream<PromQl.Selector> selectors() {
        return expressions().values().stream().flatMap(expression -> PromQl.read(expression).selectors().stream());
    }
}
