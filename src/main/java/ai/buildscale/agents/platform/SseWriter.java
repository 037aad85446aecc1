package ai.buildscale.agents.platform;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.concurrent.Flow;

/** Writes a {@code Multi} of ready-made SSE frames to a response, as fast as the client reads and no faster. */
public final class SseWriter {
    /** What EventSource waits before it connects again, in milliseconds. */
    private static final int RETRY_MILLIS = 1_000;

    private static final String OPENING = "retry: " + RETRY_MILLIS + "\n\n";

    private SseWriter() {}

    /**
     * Completes when the stream has ended or the client has gone; the response is left open for the caller to end. A
     * failing stream resets the connection, so that the client comes back with its last id.
     *
     * @param queueBytes what may wait unsent for this connection before no more frames are asked for
     * @param stallTimeout how long that may last; then the connection is reset too
     * @param stalled told of it
     */
    public static Uni<Void> write(
            HttpServerResponse response,
            Multi<Buffer> frames,
            int queueBytes,
            Duration stallTimeout,
            Runnable stalled) {
        response.setWriteQueueMaxSize(queueBytes);
        response.setChunked(true)
                .putHeader("Content-Type", "text/event-stream;charset=UTF-8")
                .putHeader("Cache-Control", "no-cache, no-transform")
                .putHeader("X-Accel-Buffering", "no");
        response.write(OPENING);
        return Uni.createFrom()
                .emitter(done -> frames.subscribe()
                        .withSubscriber(new Connection(response, done, stallTimeout.toMillis(), stalled)));
    }

    private static final class Connection implements Flow.Subscriber<Buffer> {
        private final HttpServerResponse response;
        private final UniEmitter<? super Void> done;
        private final long stallMillis;
        private final Runnable stalled;
        private final Vertx vertx = Vertx.currentContext().owner();
        private Flow.Subscription frames;

        Connection(HttpServerResponse response, UniEmitter<? super Void> done, long stallMillis, Runnable stalled) {
            this.response = response;
            this.done = done;
            this.stallMillis = stallMillis;
            this.stalled = stalled;
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            frames = subscription;
            response.closeHandler(_ -> gone());
            response.exceptionHandler(_ -> gone());
            if (response.closed()) {
                gone();
            } else {
                frames.request(1);
            }
        }

        @Override
        public void onNext(Buffer frame) {
            response.write(frame);
            if (response.writeQueueFull()) {
                long timer = vertx.setTimer(stallMillis, _ -> stall());
                response.drainHandler(_ -> {
                    vertx.cancelTimer(timer);
                    frames.request(1);
                });
            } else {
                frames.request(1);
            }
        }

        @Override
        public void onError(Throwable failure) {
            response.reset();
            done.complete(null);
        }

        @Override
        public void onComplete() {
            done.complete(null);
        }

        private void stall() {
            if (!response.closed()) {
                stalled.run();
                response.reset();
                // HTTP/1 does not tell the close handler of a reset
                gone();
            }
        }

        private void gone() {
            frames.cancel();
            done.complete(null);
        }
    }
}
