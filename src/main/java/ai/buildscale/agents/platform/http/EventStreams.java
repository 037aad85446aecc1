package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.StreamRefusal;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import jakarta.ws.rs.core.Response;

/** Holds the conventions of event streams (Server-Sent Events), whatever they carry. */
public final class EventStreams {
    /** A comment keeps a silent connection open. No blank line follows it: some clients take that for a message. */
    public static final String KEEP_ALIVE = ": keep-alive\n";

    /** The extension by which the API's document names the schema of a stream's events. */
    public static final String EVENTS = "x-events";

    /** What EventSource waits before it connects again, in milliseconds. */
    private static final int RETRY_MILLIS = 1_000;

    private EventStreams() {}

    /** What a stream begins with. */
    static String opening() {
        return "retry: " + RETRY_MILLIS + "\n";
    }

    /** The answer to HEAD: a stream's head, and the end. */
    public static Response head(HttpServerRequest request) {
        begin(request.response());
        return Response.ok().type(StreamRefusal.MEDIA_TYPE).build();
    }

    /** Sets what a stream's head says, among it that nothing on the way may hold the stream up. */
    static void begin(HttpServerResponse response) {
        response.setChunked(true)
                .putHeader("Content-Type", StreamRefusal.MEDIA_TYPE)
                .putHeader("Cache-Control", "no-cache, no-transform")
                .putHeader("X-Accel-Buffering", "no");
    }
}
