package ai.buildscale.agents.dev;

import io.quarkus.runtime.Quarkus;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Locale;

/**
 * The development way of running: the service on an embedded Postgres, with an issuer of tokens for anybody. Quarkus'
 * development mode comes here anew in the same process after each change; Postgres and the settings stay.
 */
public final class DevMain {
    private DevMain() {}

    public static void main(String[] arguments) {
        Path data = Paths.get(System.getProperty("dev.data-dir", "data")).toAbsolutePath();
        DevKeys keys = new DevKeys(data);
        setting("dev.data-dir", data.toString());
        setting("mp.jwt.verify.publickey.location", keys.publicFile().toUri().toString());
        setting("mp.jwt.verify.issuer", DevKeys.ISSUER);
        setting("mp.jwt.verify.audiences", DevKeys.AUDIENCE);
        setting("quarkus.http.auth.permission.dev.paths", "/api/v1/dev/*");
        setting("quarkus.http.auth.permission.dev.policy", "permit");
        setting("quarkus.http.host", "127.0.0.1");
        setting("limits.requests-per-second", "0");
        if (System.getenv("DATABASE_URL") == null && System.getProperty("database.url") == null) {
            EmbeddedPostgres postgres = EmbeddedPostgres.start(data.resolve("postgres-18"), "shared_buffers=256MB");
            System.setProperty("database.url", postgres.url("postgres"));
            System.setProperty("dev.postgres", "embedded, data in " + postgres.home());
        } else if (System.getProperty("dev.postgres") == null) {
            System.setProperty("dev.postgres", "the one of DATABASE_URL");
        }
        // Postgres ends with this process, after it
        Quarkus.run(arguments);
    }

    /** Sets a property that neither the command line nor the environment has set. */
    private static void setting(String name, String value) {
        String variable = name.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT);
        if (System.getProperty(name) == null && System.getenv(variable) == null) {
            System.setProperty(name, value);
        }
    }
}
