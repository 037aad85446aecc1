package ai.buildscale.agents.chat;

import ai.buildscale.agents.platform.Problem;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.json.Json;
import io.vertx.core.json.JsonObject;
import io.vertx.json.schema.Draft;
import io.vertx.json.schema.JsonSchema;
import io.vertx.json.schema.JsonSchemaOptions;
import io.vertx.json.schema.OutputFormat;
import io.vertx.json.schema.OutputUnit;
import io.vertx.json.schema.SchemaException;
import io.vertx.json.schema.Validator;
import jakarta.enterprise.context.ApplicationScoped;
import org.jboss.logging.Logger;

/** What people answer, held against the JSON schema (draft 2020-12) of the question. */
@ApplicationScoped
class Answers {
    private static final Logger LOG = Logger.getLogger(Answers.class);
    private static final JsonSchemaOptions OPTIONS = new JsonSchemaOptions()
            .setDraft(Draft.DRAFT202012)
            .setOutputFormat(OutputFormat.Basic)
            .setBaseUri("urn:question");

    private final ObjectMapper json;

    Answers(ObjectMapper json) {
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

    /** A schema that cannot be read asks for nothing. */
    private static OutputUnit validate(String schema, Object answer) {
        if (schema == null) {
            return null;
        }
        try {
            return Validator.create(JsonSchema.of(new JsonObject(schema)), OPTIONS)
                    .validate(answer);
        } catch (SchemaException | UnsupportedOperationException e) {
            LOG.warnf("a question has a schema that cannot be used: %s", e.getMessage());
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
