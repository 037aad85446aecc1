package ai.buildscale.agents.platform.http;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.concurrent.Flow;

/** Writes a {@code Multi} of ready-made SSE frames to a response, as fast as the client reads and no faster. */
public final class SseWriter {
    private SseWriter() {}

    /**
     * Completes when the stream has ended or the client has gone; the response is left open for the caller to end. A
     * failing stream resets the connection, so that the client comes back with its last id.
     *
     * @param queueBytes what may wait unsent for this connection before no more frames are asked for
     * @param stallTimeout how long that may last; then the connection is closed, whatever still waits for it
     * @param stalled told of it
     */
    public static Uni<Void> write(
            HttpServerRequest request, Multi<Buffer> frames, int queueBytes, Duration stallTimeout, Runnable stalled) {
        HttpServerResponse response = request.response();
        response.setWriteQueueMaxSize(queueBytes);
        EventStreams.begin(response);
        response.write(EventStreams.opening());
        return Uni.createFrom()
                .emitter(done -> frames.subscribe()
                        .withSubscriber(new Connection(request, done, stallTimeout.toMillis(), stalled)));
    }

    private static final class Connection implements Flow.Subscriber<Buffer> {
        private final HttpServerRequest request;
        private final HttpServerResponse response;
        private final UniEmitter<? super Void> done;
        private final long stallMillis;
        private final Runnable stalled;
        private final Vertx vertx = Vertx.currentContext().owner();
        private Flow.Subscription frames;

        Connection(HttpServerRequest request, UniEmitter<? super Void> done, long stallMillis, Runnable stalled) {
            this.request = request;
            this.response = request.response();
            this.done = done;
            this.stallMillis = stallMillis;
            this.stalled = stalled;
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            frames = subscription;
            response.closeHandler(_ -> gone());
            response.exceptionHandler(_ -> gone());
            if (response.closed() || !ClientConnection.isOpen(request)) {
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
            vertx.setTimer(stallMillis, _ -> ClientConnection.hangUp(request));
            done.complete(null);
        }

        @Override
        public void onComplete() {
            done.complete(null);
        }

        private void stall() {
            if (!response.closed()) {
                stalled.run();
                ClientConnection.hangUp(request);
                gone();
            }
        }

        private void gone() {
            frames.cancel();
            done.complete(null);
        }
    }
}
