package ai.buildscale.agents.event;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.UUID;

/**
 * An event of the log, or a chunk, encoded once for all followers.
 *
 * @param endsSession whether it is the last event of its session
 * @param live whether it is a chunk: not kept, and of no position to resume from
 * @param bytes the SSE form, with its empty line
 */
record SseFrame(long position, UUID workspaceId, UUID chatId, boolean endsSession, boolean live, Buffer bytes) {
    static SseFrame of(long position, UUID workspaceId, UUID chatId, String type, String data, boolean endsSession) {
        return new SseFrame(position, workspaceId, chatId, endsSession, false, encode(position, type, data));
    }

    /** One that is not kept: the client's position stays as it is. */
    static SseFrame live(long position, UUID workspaceId, UUID chatId, String type, String data) {
        return new SseFrame(position, workspaceId, chatId, false, true, encode(type, data));
    }

    /** The first event of a stream that is live from now on: with it, the client has a position to come back with. */
    static Buffer open(long position) {
        return encode(position, EventType.STREAM_OPEN, "{\"position\":" + position + "}");
    }

    /** The last event of a stream whose caller's token has ended. */
    static Buffer tokenExpired(Instant at) {
        return encode(EventType.TOKEN_EXPIRED, "{\"at\":\"" + at + "\"}");
    }

    static Buffer encode(long position, EventType type, String data) {
        return encode(position, type.toString(), data);
    }

    static Buffer encode(EventType type, String data) {
        return encode(type.toString(), data);
    }

    /** {@code data} is JSON on one line, as Postgres prints jsonb. */
    private static Buffer encode(long position, String type, String data) {
        return Buffer.buffer("id: " + position + "\n").appendBuffer(encode(type, data));
    }

    /** An event that leaves the client's position as it is. */
    private static Buffer encode(String type, String data) {
        return Buffer.buffer(("event: " + type + "\ndata: " + data + "\n\n").getBytes(StandardCharsets.UTF_8));
    }
}
