package ai.buildscale.agents.testing;

import ai.buildscale.agents.dev.DevKeys;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;

/** Signs tokens as the configured issuer would. */
public final class Tokens {
    private static DevKeys keys;

    private Tokens() {}

    public static synchronized DevKeys keys() {
        if (keys == null) {
            keys = new DevKeys(Path.of("target/it-keys").toAbsolutePath());
        }
        return keys;
    }

    /** A good token for an hour. */
    public static String of(UUID userId, String... groups) {
        return of(userId, Duration.ofHours(1), groups);
    }

    public static String of(UUID userId, Duration validFor, String... groups) {
        return keys().token(userId, Set.of(groups), validFor);
    }
}
