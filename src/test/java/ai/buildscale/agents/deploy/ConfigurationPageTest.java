package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;

/** The tables of src/docs/configuration.md against the settings that the code reads: their names, and their defaults. */
class ConfigurationPageTest {
    private static final String NO_DEFAULT = "–";

    /** Read before there is a configuration, by {@code CapitalProperties.find}. */
    private static final Set<String> FROM_THE_PROCESS =
            Set.of("DATABASE_URL", "TRUSTED_PROXIES", "OTEL_EXPORTER_OTLP_ENDPOINT");

    /** Quarkus' own settings that operators may change. */
    private static final Set<String> OF_QUARKUS =
            Set.of("quarkus.http.port", "quarkus.http.limits.max-body-size", "quarkus.http.limits.max-connections");

    /** What the build and the service's own sources of configuration set, and no operator. */
    private static final Set<String> INTERNAL = Set.of(
            "quarkus.application.version",
            "quarkus.datasource.jdbc.new-connection-sql",
            "quarkus.http.proxy.proxy-address-forwarding");

    private static final Pattern ROW = Pattern.compile("(?m)^\\| `([^`]+)` \\| (?:`([^`]*)`|(–)) \\| .*\\|$");

    /** A prefix in a heading. */
    private static final Pattern PREFIX = Pattern.compile("`([a-z]+)`");

    /** A property that gets its value from a variable, and the variable's default. */
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{([A-Z_]+)(?::([^}]*))?}");

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("ai.buildscale.agents");

    /** The settings by their names, with their defaults. */
    private static Map<String, String> known() {
        Map<String, String> known = new TreeMap<>();
        FROM_THE_PROCESS.forEach(name -> known.put(name, NO_DEFAULT));
        members(known);
        injected().forEach(property -> known.putIfAbsent(property, NO_DEFAULT));
        Settings.properties().forEach((property, value) -> property(known, property, value));
        known.putIfAbsent("quarkus.http.port", Integer.toString(Settings.port()));
        // the capitals are what operators set
        known.remove("trusted.proxies");
        known.keySet().removeAll(INTERNAL);
        return known;
    }

    private static void members(Map<String, String> known) {
        CLASSES.stream()
                .filter(type -> type.isAnnotatedWith(ConfigMapping.class))
                .map(type -> type.reflect())
                .forEach(type ->
                        members(known, type.getAnnotation(ConfigMapping.class).prefix(), type));
    }

    private static void members(Map<String, String> known, String prefix, Class<?> mapping) {
        for (Method member : mapping.getDeclaredMethods()) {
            String name = prefix + "." + kebab(member.getName());
            Type type = member.getGenericReturnType();
            if (type instanceof ParameterizedType map && map.getRawType() == Map.class) {
                members(known, name + ".\"name\"", (Class<?>) map.getActualTypeArguments()[1]);
            } else if (isOurs(type)) {
                members(known, name, (Class<?>) type);
            } else {
                WithDefault value = member.getAnnotation(WithDefault.class);
                known.put(name, value == null ? NO_DEFAULT : value.value());
            }
        }
    }

    private static boolean isOurs(Type type) {
        return type instanceof Class<?> group
                && group.isInterface()
                && group.getPackageName().startsWith("ai.buildscale.agents");
    }

    private static String kebab(String member) {
        return member.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
    }

    private static Set<String> injected() {
        Set<String> names = new TreeSet<>();
        CLASSES.stream()
                .map(type -> type.reflect())
                .forEach(type -> Stream.concat(
                                Arrays.stream(type.getDeclaredConstructors()), Arrays.stream(type.getDeclaredMethods()))
                        .map(Executable::getParameters)
                        .flatMap(Arrays::stream)
                        .map(ConfigurationPageTest::property)
                        .filter(property -> property != null)
                        .forEach(property -> names.add(property.name())));
        return names;
    }

    private static ConfigProperty property(Parameter parameter) {
        return parameter.getAnnotation(ConfigProperty.class);
    }

    /** What application.properties sets: a variable stands for its property. */
    private static void property(Map<String, String> known, String property, String value) {
        Matcher variable = VARIABLE.matcher(value);
        if (variable.matches()) {
            known.remove(property);
            String otherwise = variable.group(2);
            known.put(variable.group(1), otherwise == null || otherwise.isEmpty() ? NO_DEFAULT : otherwise);
        } else if (variable.reset().find()) {
            // a part of the value: either may be set
            known.put(variable.group(1), variable.group(2));
            known.put(property, variable.replaceFirst(variable.group(2)));
        } else if (OF_QUARKUS.contains(property) || !isOfAnotherLibrary(property)) {
            known.put(property, value);
        } else {
            known.remove(property);
        }
    }

    private static boolean isOfAnotherLibrary(String property) {
        return property.startsWith("quarkus.") || property.startsWith("mp.");
    }

    private static Map<String, String> documented() {
        Map<String, String> documented = new TreeMap<>();
        ROW.matcher(Settings.page()).results().forEach(row -> {
            String value = row.group(2) == null ? row.group(3) : row.group(2);
            assertThat(documented.put(row.group(1), value)).as(row.group(1)).isNull();
        });
        return documented;
    }

    @Test
    void thePageHasEverySettingWithItsDefault() {
        assertThat(documented()).containsExactlyInAnyOrderEntriesOf(known());
    }

    /** Most of what is compared; else the test might compare nothing. */
    @Test
    void settingsOfEveryKindAreFound() {
        assertThat(known())
                .containsEntry("sessions.stale-threshold", "120S")
                .containsEntry("STALE_SESSION_THRESHOLD_SECONDS", "120")
                .containsEntry("llm.models.\"name\".retries", "2")
                .containsEntry("llm.breaker.delay", "15S")
                .containsEntry("idempotency.retention", "24H")
                .containsEntry("limits.header-size", "16K")
                .containsEntry("DATABASE_POOL", "16")
                .containsEntry("JWT_KEYS", NO_DEFAULT)
                .containsEntry("server.url", NO_DEFAULT);
    }

    /** Each table but those of variables is of the prefixes that its heading names; a variable may stand beside its property. */
    @Test
    void eachSettingStandsUnderItsPrefix() {
        Pattern.compile("(?m)^## ").splitAsStream(Settings.page()).forEach(ConfigurationPageTest::requirePrefix);
    }

    private static void requirePrefix(String section) {
        List<String> prefixes = PREFIX.matcher(section.lines().findFirst().orElse(""))
                .results()
                .map(prefix -> prefix.group(1) + ".")
                .toList();
        if (!prefixes.isEmpty()) {
            assertThat(ROW.matcher(section).results().map(row -> row.group(1)))
                    .isNotEmpty()
                    .allMatch(name -> name.equals(name.toUpperCase(Locale.ROOT))
                            || prefixes.stream().anyMatch(name::startsWith));
        }
    }
}
