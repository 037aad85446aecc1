package ai.buildscale.agents.platform;

import java.security.SecureRandom;
import java.util.Base64;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Where ids come from: UUIDv7 (RFC 9562, section 5.7), ordered by the millisecond of their creation. */
public final class Ids {
    private Ids() {}

    /** Made on first use, not when the class is initialised: a native image must not contain a seeded one. */
    private static volatile SecureRandom secure;

    private static byte[] random(int bytes) {
        SecureRandom source = secure;
        if (source == null) {
            source = new SecureRandom();
            secure = source;
        }
        byte[] random = new byte[bytes];
        source.nextBytes(random);
        return random;
    }

    public static UUID next() {
        return next(System.currentTimeMillis());
    }

    /** Names a request: unique enough to find it in a log, and cheaper than an id that is kept. */
    static UUID ofRequest() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return new UUID(random.nextLong(), random.nextLong());
    }

    static UUID next(long epochMillis) {
        byte[] random = random(10);
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
        long high = 0;
        long low = 0;
        boolean readable = text.length() == 36;
        for (int i = 0; readable && i < 36; i++) {
            char c = text.charAt(i);
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                readable = c == '-';
            } else {
                int digit = c < 128 ? Character.digit(c, 16) : -1;
                readable = digit >= 0;
                high = i < 18 ? (high << 4) | digit : high;
                low = i > 18 ? (low << 4) | digit : low;
            }
        }
        if (!readable) {
            throw new IllegalArgumentException("must be a UUID");
        }
        return new UUID(high, low);
    }

    /** An unguessable token of 256 bits, in URL-safe Base64. */
    public static String secret() {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(random(32));
    }
}
