package ai.buildscale.agents.deploy;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What the service is configured with by itself, and what src/docs/configuration.md says can be set. */
final class Settings {
    /** How long a server that is empty may take to leave the fleet (Drain). */
    static final Duration LEAVING = Duration.ofSeconds(2);

    private static final Pattern QUOTED = Pattern.compile("`([A-Za-z][A-Za-z0-9_.-]*)`");
    private static final Properties OWN = own();

    private Settings() {}

    private static Properties own() {
        Properties properties = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of("src/main/resources/application.properties"))) {
            properties.load(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties;
    }

    static Duration duration(String name) {
        return time(OWN.getProperty(name));
    }

    /** As {@code 20S} or {@code 0.5S}. */
    static Duration time(String text) {
        return Duration.parse("PT" + text.toUpperCase(Locale.ROOT));
    }

    /** Where it listens if nobody says otherwise. */
    static int port() {
        return Integer.parseInt(OWN.getProperty("quarkus.http.port", "8080"));
    }

    static String metricsPath() {
        return OWN.getProperty("quarkus.micrometer.export.prometheus.path");
    }

    /** The service's own application.properties. */
    static Map<String, String> properties() {
        return OWN.stringPropertyNames().stream().collect(Collectors.toMap(name -> name, OWN::getProperty));
    }

    /** The page that lists the settings. */
    static String page() {
        return Yaml.text(Path.of("src/docs/configuration.md"));
    }

    /** Every name on the page, as the variable of the environment that it is. */
    static Set<String> documentedVariables() {
        return QUOTED.matcher(page())
                .results()
                .map(name -> variable(name.group(1)))
                .collect(Collectors.toSet());
    }

    private static String variable(String property) {
        return property.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT);
    }
}
