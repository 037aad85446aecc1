package ai.buildscale.agents.testing;

import ai.buildscale.agents.dev.DevKeys;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.util.Map;

/**
 * Gives the service that Quarkus starts for a contract test what every service needs: a database of its own on the
 * embedded Postgres, and the keys of the tests' issuer.
 */
public final class PostgresResource implements QuarkusTestResourceLifecycleManager {
    /** A system property, because Quarkus loads this class once for the resource and once for the tests. */
    private static final String DATABASE = "contract.database";

    /** The URL of the service's database. */
    public static String database() {
        return System.getProperty(DATABASE);
    }

    @Override
    public Map<String, String> start() {
        System.setProperty(DATABASE, Postgres.newDatabase());
        // DatabaseUrl reads it before there is a configuration
        System.setProperty("DATABASE_URL", database());
        return Map.of(
                "DATABASE_URL",
                database(),
                // not by JWT_KEYS and so on: Quarkus gives tests a key and an issuer of its own by these names
                "mp.jwt.verify.publickey",
                "NONE",
                "mp.jwt.verify.publickey.location",
                Tokens.keys().publicFile().toUri().toString(),
                "mp.jwt.verify.issuer",
                DevKeys.ISSUER,
                "mp.jwt.verify.audiences",
                DevKeys.AUDIENCE,
                "quarkus.http.host",
                "127.0.0.1",
                "limits.requests-per-second",
                "0");
    }

    @Override
    public void stop() {
        System.clearProperty("DATABASE_URL");
    }
}
