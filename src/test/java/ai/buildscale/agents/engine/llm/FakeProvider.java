package ai.buildscale.agents.engine.llm;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A provider's server on a loopback port, scripted: each request gets the next answer, and {@code "ok"} after the last. */
public abstract class FakeProvider implements AutoCloseable {
    /**
     * A request as it came.
     *
     * @param at in {@link System#nanoTime}
     */
    public record Asked(String path, String authorization, JsonObject body, long at) {
        /** The messages, each as {@code role: content}. */
        public List<String> messages() {
            return body.getJsonArray("messages").stream()
                    .map(JsonObject.class::cast)
                    .map(message -> message.getString("role") + ": " + message.getString("content"))
                    .toList();
        }
    }

    private final Vertx vertx = Vertx.vertx();
    private final Queue<FakeAnswer> answers = new ConcurrentLinkedQueue<>();
    private final List<Asked> asked = new CopyOnWriteArrayList<>();
    private final AtomicInteger abandoned = new AtomicInteger();
    private final AtomicInteger written = new AtomicInteger();
    private final AtomicInteger connections = new AtomicInteger();
    private final HttpServer server;

    FakeProvider() {
        server = vertx.createHttpServer(new HttpServerOptions().setHost("127.0.0.1"))
                .connectionHandler(_ -> connections.incrementAndGet())
                .requestHandler(this::take)
                .listen(0)
                .toCompletionStage()
                .toCompletableFuture()
                .join();
    }

    /** What comes before the first step, with each step, and after the last. */
    abstract String beginning();

    abstract String piece(FakeAnswer.Step step, int index);

    abstract String ending(FakeAnswer answer);

    abstract String mediaType();

    public int port() {
        return server.actualPort();
    }

    public FakeProvider then(FakeAnswer... next) {
        answers.addAll(List.of(next));
        return this;
    }

    /** The requests so far. */
    public List<Asked> asked() {
        return asked;
    }

    public Asked lastAsked() {
        return asked.getLast();
    }

    /** Requests whose connection the client has closed before their answer's end. */
    public int abandoned() {
        return abandoned.get();
    }

    /** Steps that the network has taken. */
    public int written() {
        return written.get();
    }

    /** Connections that clients have opened. */
    public int connections() {
        return connections.get();
    }

    private void take(HttpServerRequest request) {
        request.body().onSuccess(body -> {
            asked.add(new Asked(
                    request.path(), request.getHeader("authorization"), body.toJsonObject(), System.nanoTime()));
            FakeAnswer next = answers.poll();
            answer(request.response(), next == null ? FakeAnswer.says("ok") : next);
        });
    }

    private void answer(HttpServerResponse response, FakeAnswer answer) {
        response.closeHandler(_ -> {
            if (!response.ended()) {
                abandoned.incrementAndGet();
            }
        });
        response.setStatusCode(answer.status);
        answer.headers.forEach(response::putHeader);
        if (answer.never) {
            return;
        }
        if (answer.status != 200) {
            response.end(answer.body);
            return;
        }
        if (!answer.steps.isEmpty() && answer.steps.getFirst() instanceof FakeAnswer.Step.Cut) {
            response.reset();
            return;
        }
        response.putHeader("content-type", mediaType()).setChunked(true);
        Iterator<FakeAnswer.Step> steps = answer.steps.iterator();
        response.write(beginning()).onSuccess(_ -> go(response, answer, steps, 0));
    }

    private void go(HttpServerResponse response, FakeAnswer answer, Iterator<FakeAnswer.Step> steps, int index) {
        if (!steps.hasNext()) {
            response.end(answer.endsEarly ? "" : ending(answer));
            return;
        }
        FakeAnswer.Step step = steps.next();
        Future<?> taken = switch (step) {
            case FakeAnswer.Step.Cut _ -> Future.succeededFuture(response.reset());
            case FakeAnswer.Step.Wait wait -> wait.until();
            case FakeAnswer.Step.Raw raw -> response.write(raw.bytes());
            default -> response.write(piece(step, index));
        };
        if (!(step instanceof FakeAnswer.Step.Cut)) {
            int next = step instanceof FakeAnswer.Step.Call ? index + 1 : index;
            taken.onSuccess(_ -> {
                written.incrementAndGet();
                go(response, answer, steps, next);
            });
        }
    }

    @Override
    public void close() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }
}
