package ai.buildscale.agents.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The service's OpenAPI document, as a client reads it: tests made from it cannot forget an endpoint or a field. */
public final class OpenApi {
    private final JsonNode document;

    private OpenApi(JsonNode document) {
        this.document = document;
    }

    public static OpenApi of(Service service) {
        return new OpenApi(
                Api.withToken(service, null, null).get("/q/openapi?format=json").expect(200));
    }

    public JsonNode document() {
        return document;
    }

    /**
     * One method of one path.
     *
     * @param path as the document has it, with parameters in braces
     * @param body the body's schema, or null for an operation without one
     */
    public record Operation(String method, String path, List<Parameter> parameters, JsonNode body, boolean needsBody) {
        /** The path with a value for each parameter. */
        public String path(Function<String, String> values) {
            return parameters.stream()
                    .filter(Parameter::inPath)
                    .reduce(
                            path,
                            (filled, parameter) ->
                                    filled.replace("{" + parameter.name() + "}", values.apply(parameter.name())),
                            (a, _) -> a);
        }

        public boolean isStream() {
            return method.equals("GET")
                    && ((path.contains("/workspaces/") && path.endsWith("/events")) || path.endsWith("/work"));
        }

        @Override
        public String toString() {
            return method + " " + path;
        }
    }

    public record Parameter(String name, String in, JsonNode schema) {
        public boolean inPath() {
            return in.equals("path");
        }

        public boolean inQuery() {
            return in.equals("query");
        }
    }

    public List<Operation> operations() {
        List<Operation> operations = new ArrayList<>();
        document.get("paths")
                .properties()
                .forEach(path -> path.getValue().properties().stream()
                        .filter(method -> method.getValue().has("responses"))
                        .forEach(method -> operations.add(operation(
                                method.getKey().toUpperCase(Locale.ROOT), path.getKey(), method.getValue()))));
        return operations;
    }

    /** The methods that each path knows. */
    public Map<String, Set<String>> methods() {
        return operations().stream()
                .collect(Collectors.groupingBy(
                        Operation::path, Collectors.mapping(Operation::method, Collectors.toSet())));
    }

    private Operation operation(String method, String path, JsonNode operation) {
        List<Parameter> parameters = operation
                .path("parameters")
                .valueStream()
                .map(parameter -> new Parameter(
                        parameter.get("name").asText(),
                        parameter.get("in").asText(),
                        resolved(parameter.path("schema"))))
                .toList();
        JsonNode body = operation.at("/requestBody/content/application~1json/schema");
        return new Operation(
                method,
                path,
                parameters,
                body.isMissingNode() ? null : resolved(body),
                operation.at("/requestBody/required").asBoolean());
    }

    /** The schema itself, where there is a reference to it. */
    public JsonNode resolved(JsonNode schema) {
        return schema.has("$ref") ? document.at(schema.get("$ref").asText().substring(1)) : schema;
    }

    /** A value that the schema allows: required fields only. */
    public JsonNode sample(JsonNode reference) {
        JsonNode schema = resolved(reference);
        if (schema.has("examples")) {
            return schema.get("examples").get(0);
        }
        if (schema.has("enum")) {
            return schema.get("enum").get(0);
        }
        return switch (type(schema)) {
            case "integer" ->
                Api.JSON
                        .getNodeFactory()
                        .numberNode(Math.max(1, schema.path("minimum").asLong()));
            case "array" -> {
                ArrayNode array = Api.JSON.createArrayNode();
                yield array.add(sample(schema.get("items")));
            }
            case "object" -> {
                ObjectNode object = Api.JSON.createObjectNode();
                schema.path("required")
                        .forEach(name -> object.set(
                                name.asText(), sample(schema.get("properties").get(name.asText()))));
                yield object;
            }
            case "string" ->
                Api.JSON
                        .getNodeFactory()
                        .textNode(
                                schema.path("format").asText().equals("uuid")
                                        ? UUID.randomUUID().toString()
                                        : "text");
            default -> Api.JSON.getNodeFactory().booleanNode(true);
        };
    }

    /** The schema's type; {@code any} where it names none. */
    public String type(JsonNode reference) {
        JsonNode type = resolved(reference).path("type");
        return type.isArray() ? type.get(0).asText() : type.asText("any");
    }
}
