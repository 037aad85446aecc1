package ai.buildscale.agents.testing;

import com.fasterxml.jackson.databind.JsonNode;
import io.restassured.filter.Filter;
import io.restassured.filter.FilterContext;
import io.restassured.response.Response;
import io.restassured.specification.FilterableRequestSpecification;
import io.restassured.specification.FilterableResponseSpecification;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Holds the API's document to what the tests see: an answer with a status, a body, a field or a header that the document
 * does not have for its operation, and an event likewise, fails the test that got it.
 */
final class ApiContract implements Filter {
    private static final JsonNode DOCUMENT = read();

    static final ApiContract AS_DOCUMENTED = new ApiContract(false);
    /** Newer servers take part: their enumerations have more values, and their streams more events. */
    static final ApiContract AMONG_NEWER = new ApiContract(true);

    /** What HTTP itself refuses has one entry for all operations. */
    private static final Set<Integer> OF_HTTP = Set.of(405, 417, 505);

    private static final Set<String> HEADERS = Set.of("ETag", "Location", "Retry-After", "WWW-Authenticate");

    private static final String HISTORY = "/api/v1/agent-sessions/{id}/events";

    private record Template(String path, Pattern pattern, JsonNode methods) {}

    /** Those with fewer parameters first: {@code members/me} is no user. */
    private static final List<Template> TEMPLATES = DOCUMENT.get("paths").properties().stream()
            .map(path -> new Template(
                    path.getKey(), Pattern.compile(path.getKey().replaceAll("\\{\\w+}", "[^/]+")), path.getValue()))
            .sorted(Comparator.comparingLong((Template template) ->
                    template.path().chars().filter(c -> c == '{').count()))
            .toList();

    private final boolean newer;
    private final JsonSchema schemas;

    private ApiContract(boolean newer) {
        this.newer = newer;
        this.schemas = new JsonSchema(DOCUMENT, newer);
    }

    private static JsonNode read() {
        try (InputStream document = ApiContract.class.getResourceAsStream("/api/openapi.json")) {
            return Api.JSON.readTree(document);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public Response filter(
            FilterableRequestSpecification request, FilterableResponseSpecification expected, FilterContext context) {
        Response response = context.next(request, expected);
        check(request.getMethod(), URI.create(request.getURI()).getRawPath(), Api.Reply.of(response));
        return response;
    }

    /** @param path as it was requested, with or without a query */
    void check(String method, String path, Api.Reply reply) {
        String bare = path.replaceFirst("[?#].*", "");
        Optional<Template> template = TEMPLATES.stream()
                .filter(known -> known.pattern().matcher(bare).matches())
                .findFirst();
        if (template.isEmpty()) {
            return;
        }
        JsonNode operation = template.get().methods().path(method.toLowerCase(Locale.ROOT));
        if (operation.isMissingNode()) {
            return;
        }
        List<String> wrong = new ArrayList<>();
        JsonNode responses = operation.get("responses");
        JsonNode response = schemas.resolved(
                responses.path(OF_HTTP.contains(reply.status()) ? "default" : Integer.toString(reply.status())));
        if (response.isMissingNode()) {
            wrong.add("the status " + reply.status());
        } else {
            checkHeaders(response, reply, wrong);
            checkBody(response, reply, wrong);
            if (template.get().path().equals(HISTORY) && reply.status() == 200) {
                reply.json()
                        .get("events")
                        .forEach(event -> wrong.addAll(
                                wrongEvent("StreamEvents", event.get("event").asText(), event.get("data"))));
            }
        }
        if (!wrong.isEmpty()) {
            throw new AssertionError("the API's document does not have this of " + method + " "
                    + template.get().path() + ": " + String.join("; ", wrong) + "\nin " + reply.status() + " "
                    + reply.headers().map() + " " + reply.text());
        }
    }

    private void checkHeaders(JsonNode response, Api.Reply reply, List<String> wrong) {
        for (String header : HEADERS) {
            boolean documented = response.path("headers").has(header);
            boolean there = reply.header(header) != null;
            if (there && !documented) {
                wrong.add("the header " + header);
            } else if (documented && !there && !header.equals("Retry-After")) {
                wrong.add("no header " + header);
            }
        }
    }

    private void checkBody(JsonNode response, Api.Reply reply, List<String> wrong) {
        JsonNode content = response.path("content");
        if (content.isMissingNode()) {
            if (!reply.text().isEmpty()) {
                wrong.add("a body");
            }
            return;
        }
        String type = mediaType(reply.headers());
        JsonNode media = content.path(type);
        if (media.isMissingNode()) {
            wrong.add("the media type " + type);
        } else if (type.endsWith("json")) {
            schemas.validate(media.get("schema"), reply.json(), "", wrong);
        }
    }

    private static String mediaType(HttpHeaders headers) {
        return headers.firstValue("content-type")
                .map(type -> type.replaceFirst(";.*", "").strip().toLowerCase(Locale.ROOT))
                .orElse("none");
    }

    /**
     * What the document does not have of an event.
     *
     * @param stream the schema that names the stream's events
     */
    List<String> wrongEvent(String stream, String type, JsonNode data) {
        JsonNode schema = DOCUMENT.at("/components/schemas/" + stream + "/properties/" + type);
        if (schema.isMissingNode()) {
            return newer ? List.of() : List.of("the event " + type);
        }
        List<String> wrong = new ArrayList<>();
        schemas.validate(schema, data, type, wrong);
        return wrong;
    }
}
