package ai.buildscale.agents.platform;

import ai.buildscale.agents.platform.problem.Problem;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.UUID;

/** A keyset page, newest first: at most {@code limit} rows older than the id {@code before} (null: from the newest). */
public record Page(int limit, UUID before) {
    public static final int DEFAULT_LIMIT = 50;
    public static final int MAX_LIMIT = 500;

    /**
     * Reads {@code limit} and {@code cursor}.
     *
     * @throws Problem {@code VALIDATION_ERROR} naming the one that is wrong
     */
    public static Page of(Integer limit, String cursor) {
        int rows = limit == null ? DEFAULT_LIMIT : limit;
        if (rows < 1 || rows > MAX_LIMIT) {
            throw Problem.invalid("limit", "must be from 1 to " + MAX_LIMIT);
        }
        return new Page(rows, cursor == null ? null : decode(cursor));
    }

    /** The cursor of the page after the row with this id: opaque to clients. */
    public static String cursorAfter(UUID id) {
        ByteBuffer bytes =
                ByteBuffer.allocate(16).putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.array());
    }

    private static UUID decode(String cursor) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(cursor));
            UUID id = bytes.remaining() == 16 ? new UUID(bytes.getLong(), bytes.getLong()) : null;
            if (id != null && id.version() == 7) {
                return id;
            }
        } catch (IllegalArgumentException e) {
            throw Problem.invalid("cursor", "must be a next_cursor that this service gave");
        }
        throw Problem.invalid("cursor", "must be a next_cursor that this service gave");
    }
}
