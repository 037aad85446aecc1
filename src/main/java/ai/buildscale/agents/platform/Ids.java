package ai.buildscale.agents.platform;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Makes ids: UUIDv7 (RFC 9562, section 5.7), ordered by the millisecond of their creation, and those of one process in
 * the order of their creation (section 6.2, method 1: what is left of the time's part counts); or a UUIDv5 of a name.
 */
public final class Ids {
    private Ids() {}

    /** Made on first use, not when the class is initialised: a native image must not contain a seeded one. */
    private static volatile SecureRandom secure;

    /** Of names that are URLs (RFC 9562, section 6.6). */
    public static final UUID URL_NAMESPACE = UUID.fromString("6ba7b811-9dad-11d1-80b4-00c04fd430c8");

    private static final int SEQUENCE_BITS = 12;
    /** The last id's milliseconds, and the count within them. */
    private static final AtomicLong LAST = new AtomicLong();

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
        long now = System.currentTimeMillis() << SEQUENCE_BITS;
        return id(LAST.updateAndGet(last -> Math.max(last + 1, now)));
    }

    /** Names a request: unique enough to find it in a log, and cheaper than an id that is kept. */
    public static UUID ofRequest() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return new UUID(random.nextLong(), random.nextLong());
    }

    /** @param time the milliseconds, then {@link #SEQUENCE_BITS} that tell the ids of one millisecond apart */
    private static UUID id(long time) {
        byte[] random = random(8);
        long high = (time >>> SEQUENCE_BITS << 16) | 0x7000 | (time & 0xfffL);
        long low = 0;
        for (byte one : random) {
            low = (low << 8) | (one & 0xffL);
        }
        return new UUID(high, (low & 0x3fffffffffffffffL) | 0x8000000000000000L);
    }

    static UUID next(long epochMillis) {
        byte[] sequence = random(2);
        return id(epochMillis << SEQUENCE_BITS | (sequence[0] & 0x0fL) << 8 | (sequence[1] & 0xffL));
    }

    /** The UUIDv5 of a name (RFC 9562, section 5.5): SHA-1 of the namespace's 16 bytes and the name in UTF-8. */
    public static UUID named(UUID namespace, String name) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            sha1.update(ByteBuffer.allocate(16)
                    .putLong(namespace.getMostSignificantBits())
                    .putLong(namespace.getLeastSignificantBits())
                    .flip());
            ByteBuffer hash = ByteBuffer.wrap(sha1.digest(name.getBytes(StandardCharsets.UTF_8)));
            long high = hash.getLong();
            long low = hash.getLong();
            return new UUID((high & 0xffffffffffff0fffL) | 0x5000L, (low & 0x3fffffffffffffffL) | 0x8000000000000000L);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
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
