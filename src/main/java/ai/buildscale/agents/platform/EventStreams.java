package ai.buildscale.agents.platform;

import io.micrometer.core.instrument.Metrics;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import jakarta.ws.rs.core.Response;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/** The conventions of event streams (Server-Sent Events), whatever they carry. */
public final class EventStreams {
    static final String MEDIA_TYPE = "text/event-stream;charset=UTF-8";

    /** A comment keeps a silent connection open. No blank line follows it: some clients take that for a message. */
    public static final String KEEP_ALIVE = ": keep-alive\n";

    private static final String CONNECTION = "Connection";
    private static final String CLOSE = "close";

    /** What EventSource waits before it connects again, in milliseconds. */
    private static final int RETRY_MILLIS = 1_000;

    /** The same, on the average, where it was not served: spread, so that not all come back at once. */
    private static final int COME_AGAIN_MILLIS = 2_000;

    /** Counts the streams that were not served, by reason: as their status is 200, nothing else shows them. */
    public static final String REFUSED = "events.streams.refused";

    /** Why a stream is not served now. */
    public static final List<String> REASONS = List.of("full", "draining", "unavailable", "rate_limited");

    private EventStreams() {}

    /** Whether the request is for a stream. */
    static boolean isAskedFor(String method, String path) {
        return (method.equals("GET") || method.equals("HEAD"))
                && path != null
                && ((path.startsWith("/api/v1/workspaces/") && path.endsWith("/events"))
                        || (path.startsWith("/api/v1/agent-hosts/") && path.endsWith("/work")));
    }

    /** What a stream begins with. */
    static String opening() {
        return "retry: " + RETRY_MILLIS + "\n";
    }

    /**
     * The answer where a stream cannot be served now: EventSource gives up for good on any status but 200 and 204. It ends
     * the connection too, or a client behind a balancer of connections would come back to this server for ever.
     */
    static Response comeAgain(Problem problem) {
        return Response.ok(refusal(problem), MEDIA_TYPE)
                .header(CONNECTION, CLOSE)
                .build();
    }

    /** The same where no resource answers. */
    static void comeAgain(HttpServerResponse response, Problem problem) {
        response.putHeader("Content-Type", MEDIA_TYPE)
                .putHeader(CONNECTION, CLOSE)
                .end(refusal(problem));
    }

    /** Counts the refusal; says when to come again. */
    private static String refusal(Problem problem) {
        Metrics.counter(REFUSED, "reason", problem.reason()).increment();
        int wait = Math.max(COME_AGAIN_MILLIS, problem.retryAfterSeconds().orElse(0) * 1_000);
        int spread = wait / 4;
        // who was asked to wait comes no sooner
        int least = wait > COME_AGAIN_MILLIS ? wait : wait - spread;
        return "retry: " + ThreadLocalRandom.current().nextInt(least, wait + spread) + "\n";
    }

    /** The answer to HEAD: a stream's head, and the end. */
    public static Response head(HttpServerRequest request) {
        begin(request.response());
        return Response.ok().type(MEDIA_TYPE).build();
    }

    /** Sets what a stream's head says, among it that nothing on the way may hold the stream up. */
    static void begin(HttpServerResponse response) {
        response.setChunked(true)
                .putHeader("Content-Type", MEDIA_TYPE)
                .putHeader("Cache-Control", "no-cache, no-transform")
                .putHeader("X-Accel-Buffering", "no");
    }
}
