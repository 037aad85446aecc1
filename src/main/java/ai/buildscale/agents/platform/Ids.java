package ai.buildscale.agents.platform;

import java.security.SecureRandom;
import java.util.UUID;

/** Where ids come from: UUIDv7 (RFC 9562, section 5.7), ordered by the millisecond of their creation. */
public final class Ids {
    private Ids() {}

    /** Holds the generator until first use, so that a native image never contains a seeded one. */
    private static final class Random {
        static final SecureRandom SOURCE = new SecureRandom();
    }

    public static UUID next() {
        return next(System.currentTimeMillis());
    }

    static UUID next(long epochMillis) {
        byte[] random = new byte[10];
        Random.SOURCE.nextBytes(random);
        long high = (epochMillis << 16) | 0x7000 | ((random[0] & 0x0fL) << 8) | (random[1] & 0xffL);
        long low = 0;
        for (int i = 2; i < 10; i++) {
            low = (low << 8) | (random[i] & 0xffL);
        }
        return new UUID(high, (low & 0x3fffffffffffffffL) | 0x8000000000000000L);
    }

    /**
     * Reads the one form in which ids are written, 36 characters; {@link UUID#fromString} takes shorter ones too.
     *
     * @throws IllegalArgumentException for any other text
     */
    public static UUID parse(String text) {
        UUID id = UUID.fromString(text);
        if (!id.toString().equalsIgnoreCase(text)) {
            throw new IllegalArgumentException("must be a UUID");
        }
        return id;
    }

    /** An unguessable token of 256 bits, in URL-safe Base64. */
    public static String secret() {
        byte[] random = new byte[32];
        Random.SOURCE.nextBytes(random);
        return java.util.Base64.getUrlEncoder().withoutPadding().encodeToString(random);
    }
}
