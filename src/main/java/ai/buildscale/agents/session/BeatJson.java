package ai.buildscale.agents.session;

import ai.buildscale.agents.session.HeartbeatResource.Beat;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.ResolvableDeserializer;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import java.io.IOException;
import java.util.UUID;

/**
 * Reads and writes batched beats as JSON by hand: a request has up to a thousand, and reflection took longer than the
 * database.
 */
final class BeatJson {
    private BeatJson() {}

    /** One {@code {"id", "epoch"}}, as strict as every other object. */
    static final class Reader extends StdDeserializer<Beat> implements ResolvableDeserializer {
        private transient JsonDeserializer<Object> ids;
        private transient JsonDeserializer<Object> numbers;

        Reader() {
            super(Beat.class);
        }

        @Override
        public void resolve(DeserializationContext context) throws JsonMappingException {
            ids = context.findRootValueDeserializer(context.constructType(UUID.class));
            numbers = context.findRootValueDeserializer(context.constructType(Long.class));
        }

        @Override
        public Beat deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            if (!parser.isExpectedStartObjectToken()) {
                return (Beat) context.handleUnexpectedToken(Beat.class, parser);
            }
            UUID id = null;
            Long epoch = null;
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                boolean isNull = parser.nextToken() == JsonToken.VALUE_NULL;
                try {
                    switch (name) {
                        case "id" -> id = isNull ? null : (UUID) ids.deserialize(parser, context);
                        case "epoch" -> epoch = isNull ? null : (Long) numbers.deserialize(parser, context);
                        default -> context.handleUnknownProperty(parser, this, Beat.class, name);
                    }
                } catch (JsonProcessingException e) {
                    throw JsonMappingException.wrapWithPath(e, Beat.class, name);
                }
            }
            return new Beat(id, epoch);
        }
    }

    /** The answers to a batch. */
    static final class Writer extends JsonSerializer<HeartbeatResource.HeartbeatAnswers> {
        private static final int LENGTH = 176;

        @Override
        public void serialize(
                HeartbeatResource.HeartbeatAnswers answers, JsonGenerator json, SerializerProvider serializers)
                throws IOException {
            StringBuilder text = new StringBuilder(LENGTH * answers.beats().size()).append("{\"beats\":");
            char before = '[';
            for (Heartbeats.BeatAnswer answer : answers.beats()) {
                text.append(before).append("{\"id\":\"").append(answer.id());
                text.append("\",\"lease_extended\":").append(answer.leaseExtended());
                text.append(",\"ttl_seconds\":").append(answer.ttlSeconds());
                text.append(",\"desired_status\":");
                quoted(text, answer.desiredStatus());
                text.append(",\"epoch\":").append(answer.epoch());
                text.append(",\"code\":");
                quoted(text, answer.code() == null ? null : answer.code().toString());
                text.append('}');
                before = ',';
            }
            json.writeRawValue(text.append("]}").toString());
        }

        private static void quoted(StringBuilder text, String value) {
            if (value == null) {
                text.append("null");
            } else {
                text.append('"');
                JsonStringEncoder.getInstance().quoteAsString(value, text);
                text.append('"');
            }
        }
    }
}
