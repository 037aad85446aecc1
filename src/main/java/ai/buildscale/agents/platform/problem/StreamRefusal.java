package ai.buildscale.agents.platform.problem;

import io.micrometer.core.instrument.Metrics;
import io.vertx.core.http.HttpServerResponse;
import jakarta.ws.rs.core.Response;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Refuses an event stream in a form that lets its client come again: EventSource gives up for good on any status but
 * 200 and 204. The refusal ends the connection too, or a client behind a balancer of connections would come back to
 * this server for ever.
 */
public final class StreamRefusal {
    public static final String MEDIA_TYPE = "text/event-stream;charset=UTF-8";

    /** Counts the streams that were not served, by reason: as their status is 200, nothing else shows them. */
    public static final String REFUSED = "events.streams.refused";

    /** Why a stream is not served now. */
    public static final List<String> REASONS = List.of("full", "draining", "unavailable", "rate_limited");

    private static final String CONNECTION = "Connection";
    private static final String CLOSE = "close";

    /** What EventSource waits on the average before it connects again, in milliseconds: spread, so that not all come at once. */
    private static final int COME_AGAIN_MILLIS = 2_000;

    private StreamRefusal() {}

    /** Whether the request is for a stream. */
    public static boolean isForStream(String method, String path) {
        return (method.equals("GET") || method.equals("HEAD"))
                && path != null
                && ((path.startsWith("/api/v1/workspaces/") && path.endsWith("/events"))
                        || (path.startsWith("/api/v1/agent-hosts/") && path.endsWith("/work")));
    }

    /** The refusal as a resource answers it. */
    public static Response response(Problem problem) {
        return Response.ok(refusal(problem), MEDIA_TYPE)
                .header(CONNECTION, CLOSE)
                .build();
    }

    /** Writes the refusal where no resource answers. */
    static void write(HttpServerResponse response, Problem problem) {
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
}
