package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.AssertSubscriber;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventStreamsTest {
    private final Vertx vertx = Vertx.vertx();
    private final Multi<String> frames = Multi.createFrom().items("one\n", "two\n", "three\n");

    @AfterEach
    void close() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    @Test
    void aClientThatTakesNothingIsClosed() throws Exception {
        assertThat(answerWithin(Duration.ofMillis(50), 2)).isEqualTo("retry: 1000\none\n");
    }

    @Test
    void aClientThatTakesEverythingIsNot() throws Exception {
        assertThat(answerWithin(Duration.ofMinutes(1), Long.MAX_VALUE)).isEqualTo("retry: 1000\none\ntwo\nthree\nend");
    }

    /** All that a client gets before its connection ends, of a response whose writer asks for so many frames. */
    private String answerWithin(Duration stallTimeout, long frames) throws Exception {
        HttpServer server = vertx.createHttpServer()
                .requestHandler(request -> serve(request, stallTimeout, frames))
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
        try (Socket client = new Socket(InetAddress.getLoopbackAddress(), server.actualPort())) {
            client.setSoTimeout(10_000);
            client.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            String answer = new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return answer.substring(answer.indexOf("\r\n\r\n") + 4);
        } catch (IOException e) {
            throw new AssertionError("the connection did not end", e);
        }
    }

    private void serve(HttpServerRequest request, Duration stallTimeout, long asked) {
        AssertSubscriber<byte[]> writer = new AssertSubscriber<>(asked) {
            @Override
            public synchronized void onItem(byte[] frame) {
                request.response().write(new String(frame, StandardCharsets.UTF_8));
            }

            @Override
            public synchronized void onCompletion() {
                request.response().end("end");
            }
        };
        EventStreams.of(request, Uni.createFrom().item(frames), stallTimeout)
                .subscribe()
                .withSubscriber(writer);
    }
}
