package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.StreamRefusal;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jboss.resteasy.reactive.RestMulti;

/** Holds the conventions of event streams (Server-Sent Events), whatever they carry. */
public final class EventStreams {
    /** A comment keeps a silent connection open. No blank line follows it: some clients take that for a message. */
    public static final String KEEP_ALIVE = ": keep-alive\n";

    /** The extension by which the API's document names the schema of a stream's events. */
    public static final String EVENTS = "x-events";

    /** What EventSource waits before it connects again, in milliseconds. */
    private static final int RETRY_MILLIS = 1_000;

    /** What a stream's head says, among it that nothing on the way may hold the stream up. */
    private static final Map<String, List<String>> HEAD = Map.of(
            HttpHeaders.CONTENT_TYPE,
            List.of(StreamRefusal.MEDIA_TYPE),
            HttpHeaders.CACHE_CONTROL,
            List.of("no-cache, no-transform"),
            "X-Accel-Buffering",
            List.of("no"));

    private EventStreams() {}

    /**
     * A stream of few events for one client each, written by Quarkus REST, which asks for the next frame when the one
     * before is written; to HEAD its head alone. ({@link SseWriter} is for events that many clients follow.)
     *
     * @param stallTimeout how long a client may take for one write; then its connection is closed
     */
    public static RestMulti<byte[]> of(HttpServerRequest request, Uni<Multi<String>> frames, Duration stallTimeout) {
        Stall stall = new Stall(Vertx.currentContext().owner(), request, stallTimeout);
        return RestMulti.fromUniResponse(
                frames,
                all -> request.method().equals(HttpMethod.HEAD)
                        ? Multi.createFrom().empty()
                        : stall.watch(all),
                _ -> HEAD);
    }

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
        response.setChunked(true);
        HEAD.forEach(response::putHeader);
    }

    /** Closes a connection whose client does not read. On the event loop of its request. */
    private static final class Stall {
        private static final long NONE = -1;

        private final Vertx vertx;
        private final HttpServerRequest request;
        private final long millis;
        private long timer = NONE;

        Stall(Vertx vertx, HttpServerRequest request, Duration timeout) {
            this.vertx = vertx;
            this.request = request;
            this.millis = timeout.toMillis();
        }

        Multi<byte[]> watch(Multi<String> frames) {
            return Multi.createBy()
                    .concatenating()
                    .streams(Multi.createFrom().item(opening()), frames)
                    .map(frame -> frame.getBytes(StandardCharsets.UTF_8))
                    .onItem()
                    .invoke(this::writing)
                    .onRequest()
                    .invoke(this::written)
                    .onTermination()
                    .invoke(this::written);
        }

        private void writing() {
            // a writer that asks for several at once has the time of one
            written();
            timer = vertx.setTimer(millis, _ -> ClientConnection.hangUp(request));
        }

        private void written() {
            if (timer != NONE) {
                vertx.cancelTimer(timer);
                timer = NONE;
            }
        }
    }
}
