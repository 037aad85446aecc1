package ai.buildscale.agents.testing;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Validates JSON against the schemas of a document, more strictly than the standard: a field that a schema does not name
 * is wrong, unless it is open. A keyword that is not known here is an error, so that none is passed over.
 */
final class JsonSchema {
    private static final Set<String> KNOWN = Set.of(
            "$ref",
            "type",
            "enum",
            "properties",
            "required",
            "items",
            "additionalProperties",
            "anyOf",
            "format",
            "description",
            "examples");

    /** What is for requests, or for people. */
    private static final Set<String> IGNORED =
            Set.of("pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems");

    private static final Pattern ID = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

    private final JsonNode document;
    private final boolean open;

    /** @param open whether enumerations may have more values */
    JsonSchema(JsonNode document, boolean open) {
        this.document = document;
        this.open = open;
    }

    /** What a reference leads to, or what is no reference. */
    JsonNode resolved(JsonNode node) {
        return node.has("$ref") ? document.at(node.get("$ref").asText().substring(1)) : node;
    }

    /** @param at the path of the value, for the complaints, which go to {@code wrong} */
    void validate(JsonNode reference, JsonNode value, String at, List<String> wrong) {
        JsonNode schema = resolved(reference);
        schema.fieldNames().forEachRemaining(keyword -> {
            if (!KNOWN.contains(keyword) && !IGNORED.contains(keyword)) {
                throw new AssertionError("unknown keyword " + keyword + " in " + schema);
            }
        });
        if (schema.has("anyOf")) {
            boolean fits = schema.get("anyOf").valueStream().anyMatch(one -> {
                List<String> complaints = new ArrayList<>();
                validate(one, value, at, complaints);
                return complaints.isEmpty();
            });
            if (!fits) {
                wrong.add(at + " = " + value);
            }
            return;
        }
        if (!isOfType(schema.path("type"), value)
                || (!open
                        && schema.has("enum")
                        && schema.get("enum").valueStream().noneMatch(value::equals))
                || !isOfFormat(schema.path("format").asText(), value)) {
            wrong.add(at + " = " + value);
        } else if (value.isArray() && schema.has("items")) {
            value.forEach(item -> validate(schema.get("items"), item, at + "[]", wrong));
        } else if (value.isObject() && schema.has("type")) {
            fields(schema, value, at, wrong);
        }
    }

    private void fields(JsonNode schema, JsonNode value, String at, List<String> wrong) {
        schema.path("required").forEach(name -> {
            if (!value.has(name.asText())) {
                wrong.add("no field " + at + "." + name.asText());
            }
        });
        JsonNode others = schema.path("additionalProperties");
        value.properties().forEach(field -> {
            String name = at + "." + field.getKey();
            JsonNode known = schema.path("properties").path(field.getKey());
            if (!known.isMissingNode()) {
                validate(known, field.getValue(), name, wrong);
            } else if (others.isObject()) {
                validate(others, field.getValue(), name, wrong);
            } else if (!others.asBoolean()) {
                wrong.add("the field " + name);
            }
        });
    }

    private static boolean isOfType(JsonNode type, JsonNode value) {
        if (type.isArray()) {
            return type.valueStream().anyMatch(one -> isOfType(one, value));
        }
        return switch (type.asText("any")) {
            case "any" -> true;
            case "null" -> value.isNull();
            case "object" -> value.isObject();
            case "array" -> value.isArray();
            case "string" -> value.isTextual();
            case "boolean" -> value.isBoolean();
            case "integer" -> value.isIntegralNumber();
            case "number" -> value.isNumber();
            default -> throw new AssertionError("unknown type " + type);
        };
    }

    private static boolean isOfFormat(String format, JsonNode value) {
        return value.isNull()
                || switch (format) {
                    case "uuid" -> ID.matcher(value.asText()).matches();
                    case "date-time" -> isTime(value.asText());
                    case "int32" -> value.canConvertToInt();
                    default -> true;
                };
    }

    private static boolean isTime(String text) {
        try {
            OffsetDateTime.parse(text);
            return true;
        } catch (DateTimeParseException e) {
            return false;
        }
    }
}
