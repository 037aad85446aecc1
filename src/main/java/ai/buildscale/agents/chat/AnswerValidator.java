package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.problem.Problem;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.json.Json;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.json.schema.Draft;
import io.vertx.json.schema.JsonSchema;
import io.vertx.json.schema.JsonSchemaOptions;
import io.vertx.json.schema.OutputFormat;
import io.vertx.json.schema.OutputUnit;
import io.vertx.json.schema.Validator;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.Set;
import org.jboss.logging.Logger;

/** Validates people's answers against the JSON schema (draft 2020-12) of the question. */
@ApplicationScoped
class AnswerValidator {
    private static final Logger LOG = Logger.getLogger(AnswerValidator.class);
    private static final JsonSchemaOptions OPTIONS = new JsonSchemaOptions()
            .setDraft(Draft.DRAFT202012)
            .setOutputFormat(OutputFormat.Basic)
            .setBaseUri("urn:question");

    private static final Set<String> DANGEROUS = Set.of("pattern", "format", "$ref", "$dynamicRef", "$recursiveRef");

    private final ObjectMapper json;

    AnswerValidator(ObjectMapper json) {
        this.json = json;
    }

    /**
     * @param schema a JSON object, or null for anything
     * @throws Problem {@code VALIDATION_ERROR} naming the answer, and the place in it that is wrong
     */
    void check(String schema, JsonNode answer) {
        OutputUnit checked = validate(schema, Json.decodeValue(answer.toString()));
        if (checked == null || Boolean.TRUE.equals(checked.getValid())) {
            return;
        }
        OutputUnit error = checked.getErrors() == null || checked.getErrors().isEmpty()
                ? checked
                : checked.getErrors().getLast();
        String place = error.getInstanceLocation() == null
                ? ""
                : error.getInstanceLocation().replaceFirst("^#/?", "").replace('/', '.');
        throw Problem.invalid(
                place.isEmpty() ? "answer" : "answer." + place,
                "is not what the question asks for: " + error.getError());
    }

    /** Without what could take for ever: regular expressions, and references that lead back. */
    private static JsonObject harmless(JsonObject schema) {
        JsonObject kept = new JsonObject();
        schema.forEach(entry -> {
            boolean named = entry.getValue() instanceof JsonObject;
            if (!entry.getKey().equals("patternProperties") && (named || !DANGEROUS.contains(entry.getKey()))) {
                kept.put(entry.getKey(), harmless(entry.getValue()));
            }
        });
        return kept;
    }

    private static Object harmless(Object value) {
        return switch (value) {
            case JsonObject object -> harmless(object);
            case JsonArray array ->
                new JsonArray(array.stream().map(AnswerValidator::harmless).toList());
            case null, default -> value;
        };
    }

    /** A schema that cannot be read asks for nothing. */
    private static OutputUnit validate(String schema, Object answer) {
        if (schema == null) {
            return null;
        }
        try {
            return Validator.create(JsonSchema.of(harmless(new JsonObject(schema))), OPTIONS)
                    .validate(answer);
        } catch (RuntimeException | StackOverflowError e) {
            LOG.warnf("a question has a schema that cannot be used: %s", e);
            return null;
        }
    }

    /** Whether it is the same JSON. */
    boolean same(String one, JsonNode other) {
        try {
            return json.readTree(one).equals(other);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
