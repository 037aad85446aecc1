package ai.buildscale.agents.platform;

import ai.buildscale.agents.platform.problem.Problem;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Converts enum constants to and from their form on the wire and in the database: lower case, as their {@code
 * toString} says. The database may hold names that a newer server wrote: what leaves over the wire is passed on as it
 * is, and what decides asks whether it is known here.
 */
public final class WireEnum {
    /** The constants of a type and their names, both ways: case is not changed each time. */
    private record Names(Map<Enum<?>, String> names, Map<String, Enum<?>> constants) {
        static Names of(Class<?> type) {
            Map<Enum<?>, String> names = new HashMap<>();
            Map<String, Enum<?>> constants = new HashMap<>();
            for (Object constant : type.getEnumConstants()) {
                String name = ((Enum<?>) constant).name().toLowerCase(Locale.ROOT);
                names.put((Enum<?>) constant, name);
                constants.put(name, (Enum<?>) constant);
            }
            return new Names(names, constants);
        }
    }

    private static final ClassValue<Names> NAMES = new ClassValue<>() {
        @Override
        protected Names computeValue(Class<?> type) {
            return Names.of(type);
        }
    };

    private WireEnum() {}

    public static String name(Enum<?> constant) {
        return NAMES.get(constant.getDeclaringClass()).names().get(constant);
    }

    /** Reads what the database holds; null for what is not known here. */
    public static <E extends Enum<E>> E known(Class<E> type, String name) {
        return name == null ? null : type.cast(NAMES.get(type).constants().get(name));
    }

    /** Whether the database means this constant. */
    public static boolean is(Enum<?> constant, String name) {
        return name(constant).equals(name);
    }

    /** The names that are known here, as a list in SQL. */
    public static String sql(Class<?> type) {
        return Arrays.stream(type.getEnumConstants())
                .map(constant -> "'" + constant + "'")
                .collect(Collectors.joining(", ", "(", ")"));
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

    public static String names(Class<?> type) {
        return Arrays.stream(type.getEnumConstants()).map(Object::toString).collect(Collectors.joining(", "));
    }
}
