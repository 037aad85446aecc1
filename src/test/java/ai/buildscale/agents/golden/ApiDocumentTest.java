package ai.buildscale.agents.golden;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.event.EventType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What generators and people need of the API's document, for each operation that there is or will be. */
class ApiDocumentTest {
    private static final Pattern PARAMETER = Pattern.compile("\\{(\\w+)}");
    private static final JsonNode DOCUMENT = read();

    private static JsonNode read() {
        try (InputStream document = ApiDocumentTest.class.getResourceAsStream("/api/openapi.json")) {
            return new ObjectMapper().readTree(document);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static void forEach(BiConsumer<String, JsonNode> check) {
        DOCUMENT.get("paths")
                .properties()
                .forEach(path -> path.getValue()
                        .properties()
                        .forEach(method -> check.accept(method.getKey() + " " + path.getKey(), method.getValue())));
    }

    @Test
    void operationsAreNamedAndDescribed() {
        Set<String> ids = new HashSet<>();
        forEach((name, operation) -> {
            assertThat(operation.path("operationId").asText()).as(name).matches("[a-z]+([A-Z][a-z]+)+");
            assertThat(ids.add(operation.get("operationId").asText())).as(name).isTrue();
            assertThat(operation.path("summary").asText()).as(name).isNotEmpty();
            assertThat(operation.path("description").asText()).as(name).isNotEmpty();
            assertThat(operation.path("tags")).as(name).hasSize(1);
            operation
                    .get("responses")
                    .forEach(response -> assertThat(response.has("$ref") || response.has("description"))
                            .as(name)
                            .isTrue());
        });
        assertThat(ids).hasSizeGreaterThan(50).contains("pauseSession", "stopChat", "listSessions");
    }

    @Test
    void pathParametersComeFirstInTheOrderOfThePath() {
        forEach((name, operation) -> {
            List<String> wanted = PARAMETER
                    .matcher(name)
                    .results()
                    .map((MatchResult result) -> result.group(1))
                    .toList();
            assertThat(operation
                            .path("parameters")
                            .valueStream()
                            .limit(wanted.size())
                            .map(parameter -> parameter.get("name").asText()))
                    .as(name)
                    .containsExactlyElementsOf(wanted);
        });
    }

    /** A number at the end is the generator's way out of two classes of one name. */
    @Test
    void schemasHaveNamesOfTheirOwn() {
        assertThat(DOCUMENT.at("/components/schemas").properties())
                .extracting(Map.Entry::getKey)
                .allMatch(name -> name.matches("[A-Z][A-Za-z]+"))
                .noneMatch(name -> name.endsWith("View") || name.startsWith("One"));
    }

    @Test
    void everyEventHasASchema() {
        assertThat(DOCUMENT.at("/components/schemas/StreamEvents/properties").properties())
                .extracting(Map.Entry::getKey)
                .containsExactlyInAnyOrderElementsOf(Arrays.stream(EventType.values())
                        .map(EventType::toString)
                        .toList());
        assertThat(DOCUMENT.at("/components/schemas/SessionEvent/properties/event/enum")
                        .valueStream()
                        .map(JsonNode::asText))
                .containsExactlyInAnyOrderElementsOf(Arrays.stream(EventType.values())
                        .filter(EventType::isLogged)
                        .map(EventType::toString)
                        .toList());
    }
}
