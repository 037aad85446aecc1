package ai.buildscale.agents.platform;

import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.eclipse.microprofile.config.spi.ConfigSource;

/**
 * Reads {@code DATABASE_URL} ({@code postgresql://user:password@host:5432/name?sslmode=require}) as the settings of
 * both the reactive pool and the connection that runs the migrations.
 */
public class DatabaseUrl implements ConfigSource {
    /** Above application.properties (250), below the environment (300) and system properties (400). */
    private static final int ORDINAL = 275;

    private final Map<String, String> settings;

    public DatabaseUrl() {
        this(System.getProperty("database.url", System.getenv("DATABASE_URL")));
    }

    DatabaseUrl(String url) {
        this.settings = url == null || url.isBlank() ? Map.of() : read(url.trim());
    }

    private static Map<String, String> read(String url) {
        URI uri = parse(url);
        if (uri == null
                || uri.getScheme() == null
                || !uri.getScheme().startsWith("postgres")
                || uri.getHost() == null
                || uri.getRawFragment() != null) {
            throw new IllegalArgumentException("DATABASE_URL must look like postgresql://user:password@host:5432/name,"
                    + " with user and password percent-encoded");
        }
        String place = uri.getHost() + ":" + (uri.getPort() < 0 ? 5432 : uri.getPort()) + uri.getPath()
                + (uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery());
        Map<String, String> settings = new HashMap<>();
        settings.put("quarkus.datasource.reactive.url", "postgresql://" + place);
        settings.put("quarkus.datasource.jdbc.url", "jdbc:postgresql://" + place);
        if (uri.getRawUserInfo() != null) {
            String[] user = uri.getRawUserInfo().split(":", 2);
            settings.put("quarkus.datasource.username", decoded(user[0]));
            if (user.length == 2) {
                settings.put("quarkus.datasource.password", decoded(user[1]));
            }
        }
        return Map.copyOf(settings);
    }

    /** Null for what is no URI: the exception would show the password. */
    private static URI parse(String url) {
        try {
            return new URI(url);
        } catch (URISyntaxException e) {
            return null;
        }
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
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
