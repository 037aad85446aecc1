package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.deser.std.JsonNodeDeserializer;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.deser.std.StdScalarDeserializer;
import com.fasterxml.jackson.databind.deser.std.StringDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.quarkus.jackson.ObjectMapperCustomizer;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * Reads and writes JSON strictly, in snake case: unknown and doubled fields, wrong types, NUL characters, lone
 * surrogates and deep nesting are refused with the field's name.
 */
@Singleton
public class StrictJson implements ObjectMapperCustomizer {
    private static final int MAX_DEPTH = 50;
    private static final int MAX_NUMBER_LENGTH = 40;

    @Override
    @SuppressWarnings("deprecation") // the way without it is to build the factory, and this one is Quarkus'
    public void customize(ObjectMapper mapper) {
        mapper.setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE);
        mapper.enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);
        mapper.enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        mapper.enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
        mapper.enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS);
        mapper.enable(DeserializationFeature.READ_ENUMS_USING_TO_STRING);
        mapper.enable(SerializationFeature.WRITE_ENUMS_USING_TO_STRING);
        mapper.setConfig(mapper.getDeserializationConfig().without(MapperFeature.ALLOW_COERCION_OF_SCALARS));
        mapper.disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT);
        for (CoercionInputShape shape :
                List.of(CoercionInputShape.Integer, CoercionInputShape.Float, CoercionInputShape.Boolean)) {
            mapper.coercionConfigFor(LogicalType.Textual).setCoercion(shape, CoercionAction.Fail);
        }
        mapper.getFactory()
                .setStreamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_DEPTH)
                        .maxNumberLength(MAX_NUMBER_LENGTH)
                        .build());
        // UTF-8 it is, as RFC 8259 wants, and not whatever the first bytes look like
        mapper.getFactory().disable(JsonFactory.Feature.CHARSET_DETECTION);
        mapper.registerModule(new SimpleModule("strict")
                .addDeserializer(String.class, new StrictText())
                .addDeserializer(UUID.class, new StrictUuid())
                .addDeserializer(JsonNode.class, new StrictNode()));
    }

    /** What Postgres' {@code text} cannot hold, and UTF-8 cannot say, is refused at the door. */
    private static final class StrictText extends StringDeserializer {
        @Override
        public String deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            String text = super.deserialize(parser, context);
            check(parser, text);
            return text;
        }
    }

    private static void check(JsonParser parser, String text) throws JsonMappingException {
        try {
            TextRules.check(text);
        } catch (Problem complaint) {
            throw JsonMappingException.from(parser, complaint.getMessage(), complaint);
        }
    }

    private static final class StrictUuid extends StdScalarDeserializer<UUID> {
        StrictUuid() {
            super(UUID.class);
        }

        @Override
        public UUID deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            if (!parser.hasToken(JsonToken.VALUE_STRING)) {
                return (UUID) context.handleUnexpectedToken(UUID.class, parser);
            }
            try {
                return Ids.parse(parser.getText());
            } catch (IllegalArgumentException e) {
                return (UUID) context.handleWeirdStringValue(UUID.class, parser.getText(), "not a UUID");
            }
        }
    }

    /** Any JSON that {@code jsonb} can hold. */
    private static final class StrictNode extends StdDeserializer<JsonNode> {
        private final JsonDeserializer<? extends JsonNode> any = JsonNodeDeserializer.getDeserializer(JsonNode.class);

        StrictNode() {
            super(JsonNode.class);
        }

        @Override
        public JsonNode deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            JsonNode node = any.deserialize(parser, context);
            check(parser, node);
            return node;
        }

        @Override
        public JsonNode getNullValue(DeserializationContext context) throws JsonMappingException {
            return any.getNullValue(context);
        }

        private static void check(JsonParser parser, JsonNode node) throws JsonMappingException {
            StrictJson.check(parser, node.textValue());
            if (node.isFloatingPointNumber() && !Double.isFinite(node.doubleValue())) {
                Problem complaint =
                        new Problem(ProblemType.VALIDATION_ERROR, "must not contain numbers beyond a double's range");
                throw JsonMappingException.from(parser, complaint.getMessage(), complaint);
            }
            for (Map.Entry<String, JsonNode> property : node.properties()) {
                StrictJson.check(parser, property.getKey());
                check(parser, property.getValue());
            }
            for (int i = 0; node.isArray() && i < node.size(); i++) {
                check(parser, node.get(i));
            }
        }
    }
}
