package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.problem.Problem;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.UriInfo;
import jakarta.ws.rs.ext.ParamConverter;
import jakarta.ws.rs.ext.ParamConverterProvider;
import jakarta.ws.rs.ext.Provider;
import java.lang.annotation.Annotation;
import java.lang.reflect.Type;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;

/**
 * Reads path and query parameters strictly: a parameter that cannot be read is a bad request that names it, where
 * Jakarta REST would say 404. An empty parameter counts as not given.
 */
@Provider
public class StrictParameters implements ParamConverterProvider {
    private static final Map<Class<?>, ParameterReader> READERS = Map.of(
            UUID.class, new ParameterReader(Ids::parse, "must be a UUID"),
            Integer.class, new ParameterReader(Integer::valueOf, "must be a whole number"),
            Long.class, new ParameterReader(Long::valueOf, "must be a whole number"),
            Boolean.class, new ParameterReader(StrictParameters::truth, "must be true or false"));

    private record ParameterReader(Function<String, Object> read, String expected) {}

    @Override
    public <T> ParamConverter<T> getConverter(Class<T> rawType, Type genericType, Annotation[] annotations) {
        ParameterReader reader = READERS.get(rawType);
        if (reader == null) {
            return null;
        }
        String name = null;
        for (Annotation annotation : annotations) {
            name = annotation instanceof QueryParam query ? query.value() : name;
        }
        return new Converter<>(rawType, reader, name);
    }

    private static Boolean truth(String text) {
        return switch (text) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new IllegalArgumentException(text);
        };
    }

    private record Converter<T>(Class<T> type, ParameterReader reader, String name) implements ParamConverter<T> {
        @Override
        public T fromString(String text) {
            if (text == null || text.isEmpty()) {
                return null;
            }
            try {
                return type.cast(reader.read().apply(text));
            } catch (IllegalArgumentException e) {
                throw new Unreadable(name, text, reader.expected());
            }
        }

        @Override
        public String toString(T value) {
            return value.toString();
        }
    }

    /** Comes out wrapped in the exception that Jakarta REST wants. */
    static final class Unreadable extends RuntimeException {
        private final String name;
        private final String text;

        Unreadable(String name, String text, String expected) {
            super(expected, null, false, false);
            this.name = name;
            this.text = text;
        }

        /** A path parameter is found by its value: all of them are ids, and this one is not. */
        Problem problem(UriInfo uri) {
            String parameter = name != null
                    ? name
                    : uri.getPathParameters().entrySet().stream()
                            .filter(entry -> entry.getValue().contains(text))
                            .map(entry -> ProblemMapper.snakeCase(entry.getKey()))
                            .findFirst()
                            .orElse("path");
            return Problem.invalid(parameter, getMessage());
        }
    }
}
