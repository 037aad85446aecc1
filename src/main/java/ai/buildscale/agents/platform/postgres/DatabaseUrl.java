package ai.buildscale.agents.platform.postgres;

import ai.buildscale.agents.platform.CapitalProperties;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.microprofile.config.spi.ConfigSource;

/**
 * Reads {@code DATABASE_URL} ({@code postgresql://user:password@host:5432/name?sslmode=require}) as the settings of
 * both the reactive pool and the connection that runs the migrations. What it refuses it names, but never shows: any
 * part may be one of a password that is not percent-encoded.
 */
public class DatabaseUrl implements ConfigSource {
    /** Above application.properties (250), below the environment (300) and system properties (400). */
    private static final int ORDINAL = 275;

    private static final Pattern FORM = Pattern.compile("postgres[a-z+]*://(?:(?<user>[^/?#@]*)@)?(?<place>[^/?#@]*)"
            + "(?:/(?<name>[^/?#@]*))?(?:\\?(?<parameters>[^#@]*))?");
    /** Underscores are none of DNS, but of Compose and of Kubernetes' neighbours. */
    private static final Pattern PLACE =
            Pattern.compile("(?<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\\[[0-9A-Fa-f:]+])(?::(?<port>[0-9]{1,5}))?");

    private final Map<String, String> settings;

    public DatabaseUrl() {
        this(CapitalProperties.find("database.url"));
    }

    DatabaseUrl(String url) {
        this.settings = url == null || url.isBlank() ? Map.of() : read(url.trim());
    }

    private static Map<String, String> read(String url) {
        Matcher parts = FORM.matcher(url);
        if (!parts.matches()) {
            throw refused("must look like postgresql://user:password@host:5432/name, with user and password"
                    + " percent-encoded");
        }
        Map<String, String> settings = new HashMap<>();
        DatabaseParameters parameters = new DatabaseParameters();
        if (parts.group("user") != null) {
            String[] user = parts.group("user").split(":", 2);
            parameters.put("user", decoded(user[0]));
            if (user.length == 2) {
                parameters.put("password", decoded(user[1]));
            }
        }
        if (parts.group("parameters") != null) {
            parameters.read(parts.group("parameters"));
        }
        String place = place(parts.group("place")) + "/" + DatabaseParameters.encoded(name(parts, parameters));
        settings.put("quarkus.datasource.reactive.url", "postgresql://" + place + parameters.ofReactive());
        settings.put("quarkus.datasource.jdbc.url", "jdbc:postgresql://" + place + parameters.ofJdbc());
        settings.putAll(parameters.settings());
        settings.values().removeIf(String::isEmpty);
        // a dollar begins an expression of the configuration
        settings.replaceAll((_, value) -> value.replace("$", "$$"));
        return Map.copyOf(settings);
    }

    private static String place(String text) {
        if (text.contains(",")) {
            throw refused("names several hosts: name one host that always leads to the primary");
        }
        if (text.contains("%")) {
            throw refused("has a host that is percent-encoded: name a host or an address, not the folder of a socket");
        }
        Matcher place = PLACE.matcher(text);
        if (!place.matches()) {
            throw refused("has a host (or a port) that is none: it must be a name, an IPv4 address or an IPv6 address"
                    + " in brackets, and be followed by nothing but :port");
        }
        String port = place.group("port") == null ? "5432" : place.group("port");
        if (Integer.parseInt(port) < 1 || Integer.parseInt(port) > 65_535) {
            throw refused("has a port after its host that is not from 1 to 65535");
        }
        return place.group("host") + ":" + port;
    }

    /** The database is called as its user if it is not named, as with all of Postgres' clients. */
    private static String name(Matcher parts, DatabaseParameters parameters) {
        String name = parts.group("name") == null ? "" : decoded(parts.group("name"));
        String named = name.isEmpty() ? parameters.user() : name;
        if (named.isEmpty()) {
            throw refused("names no database after its host");
        }
        return named;
    }

    static IllegalArgumentException refused(String why) {
        return new IllegalArgumentException("DATABASE_URL " + why);
    }

    static String decoded(String text) {
        try {
            return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            // its message would show the text
            throw refused("has a % that is not followed by two hexadecimal digits: write %25 for a percent sign");
        }
    }

    @Override
    public Set<String> getPropertyNames() {
        return settings.keySet();
    }

    @Override
    public String getValue(String name) {
        return settings.get(name);
    }

    @Override
    public String getName() {
        return "DATABASE_URL";
    }

    @Override
    public int getOrdinal() {
        return ORDINAL;
    }
}
