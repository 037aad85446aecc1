package ai.buildscale.agents.platform;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Enum constants as the wire and the database write them: in lower case, which is what their {@code toString} says. */
public final class Wire {
    /** The constants of each type that has been read, by name: {@code valueOf} would want upper case each time. */
    private static final ClassValue<Map<String, Enum<?>>> CONSTANTS = new ClassValue<>() {
        @Override
        protected Map<String, Enum<?>> computeValue(Class<?> type) {
            return Arrays.stream(type.getEnumConstants())
                    .map(constant -> (Enum<?>) constant)
                    .collect(Collectors.toUnmodifiableMap(Wire::name, constant -> constant));
        }
    };

    private Wire() {}

    public static String name(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /** Reads what the database holds; null stays null. */
    public static <E extends Enum<E>> E read(Class<E> type, String name) {
        if (name == null) {
            return null;
        }
        Enum<?> constant = CONSTANTS.get(type).get(name);
        if (constant == null) {
            throw new IllegalArgumentException(type.getSimpleName() + " has no " + name);
        }
        return type.cast(constant);
    }

    /**
     * Reads a parameter; null stays null.
     *
     * @throws Problem {@code VALIDATION_ERROR} naming the parameter and the values it may have
     */
    public static <E extends Enum<E>> E parameter(Class<E> type, String parameter, String value) {
        if (value == null) {
            return null;
        }
        return Arrays.stream(type.getEnumConstants())
                .filter(constant -> name(constant).equals(value))
                .findFirst()
                .orElseThrow(() -> Problem.invalid(parameter, "must be one of " + names(type)));
    }

    static String names(Class<?> type) {
        return Arrays.stream(type.getEnumConstants()).map(Object::toString).collect(Collectors.joining(", "));
    }
}
