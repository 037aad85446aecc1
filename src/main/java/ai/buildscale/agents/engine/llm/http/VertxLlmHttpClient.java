package ai.buildscale.agents.engine.llm.http;

import ai.buildscale.agents.engine.llm.http.ModelFailure.FailureKind;
import dev.langchain4j.http.client.HttpClientBuilder;
import dev.langchain4j.http.client.HttpRequest;
import dev.langchain4j.http.client.SuccessfulHttpResponse;
import dev.langchain4j.http.client.sse.DefaultServerSentEventParser;
import dev.langchain4j.http.client.sse.ServerSentEvent;
import dev.langchain4j.http.client.sse.ServerSentEventContext;
import dev.langchain4j.http.client.sse.ServerSentEventListener;
import dev.langchain4j.http.client.sse.ServerSentEventParser;
import dev.langchain4j.http.client.sse.ServerSentEventParsingHandle;
import dev.langchain4j.model.output.FinishReason;
import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * LangChain4j's HTTP client on Vert.x for one streamed request to a provider: it never blocks, and can be cancelled at
 * any time, before the first byte as well. Its state is accessed on its context only.
 */
public final class VertxLlmHttpClient
        implements dev.langchain4j.http.client.HttpClient, HttpClientBuilder, ServerSentEventParsingHandle {
    /** HTTP/2's CANCEL; over HTTP/1.1 the connection is closed. */
    private static final long CANCEL = 8;

    /** The event by which providers report a failure after they have answered 200. */
    private static final Pattern ERROR = Pattern.compile("\\{\\s*\"error\"");

    private static final int LONGEST_REFUSAL = 4096;
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

    private final HttpClient http;
    private final Context context;
    private final Duration silence;
    private final long deadline;
    private ServerSentEventListener listener;
    private HttpClientRequest request;
    private HttpClientResponse response;
    private long lastEvent;
    private boolean paused;
    private boolean over;
    private boolean released;
    private boolean done;
    private boolean cancelled;
    private boolean serverSent;

    /**
     * @param silence the longest time without an event
     * @param deadline the end of the turn, in {@link System#nanoTime}
     */
    public VertxLlmHttpClient(HttpClient http, Context context, Duration silence, long deadline) {
        this.http = http;
        this.context = context;
        this.silence = silence;
        this.deadline = deadline;
    }

    /** Whether the stream really ended, and was not cut off, where the parser reports this reason. */
    public boolean isComplete(FinishReason reason) {
        return done || reason != null || !serverSent;
    }

    /** Ends the request, whatever its state; the listener hears nothing more. */
    @Override
    public void cancel() {
        context.runOnContext(_ -> {
            cancelled = true;
            over = true;
            release();
        });
    }

    /** Pauses or resumes reading: unread bytes fill the network's buffers, and then the provider waits. */
    public void read(boolean more) {
        context.runOnContext(_ -> setReading(more));
    }

    private void setReading(boolean more) {
        if (response == null || over || paused != more) {
            return;
        }
        paused = !more;
        lastEvent = System.nanoTime();
        if (more) {
            response.resume();
        } else {
            response.pause();
        }
    }

    @Override
    public void execute(HttpRequest request, ServerSentEventListener listener) {
        serverSent = true;
        start(request, new SseDecoder(new DefaultServerSentEventParser(), this::heard, true), listener);
    }

    @Override
    public void execute(HttpRequest request, ServerSentEventParser parser, ServerSentEventListener listener) {
        start(request, new SseDecoder(parser, this::heard, false), listener);
    }

    private void start(HttpRequest what, SseDecoder events, ServerSentEventListener listener) {
        this.listener = listener;
        this.lastEvent = System.nanoTime();
        RequestOptions options = new RequestOptions()
                .setMethod(HttpMethod.POST)
                .setAbsoluteURI(what.url())
                .setConnectTimeout(CONNECT_TIMEOUT.toMillis());
        what.headers().forEach((name, values) -> options.putHeader(name, String.join(",", values)));
        options.putHeader("content-type", "application/json").putHeader("accept", events.mediaType());
        watch();
        http.request(options).onSuccess(made -> send(made, what.body(), events)).onFailure(this::lost);
    }

    private void send(HttpClientRequest made, String body, SseDecoder events) {
        request = made;
        if (over) {
            release();
            return;
        }
        made.exceptionHandler(this::lost);
        made.send(body).onSuccess(answer -> answered(answer, events)).onFailure(this::lost);
    }

    private void answered(HttpClientResponse answer, SseDecoder events) {
        response = answer;
        if (over) {
            release();
        } else if (answer.statusCode() < 200 || answer.statusCode() > 299) {
            refused(answer);
        } else {
            listener.onOpen(SuccessfulHttpResponse.builder()
                    .statusCode(answer.statusCode())
                    .build());
            answer.exceptionHandler(this::lost);
            answer.endHandler(_ -> ended(events));
            answer.handler(part -> read(part, events));
        }
    }

    private void read(Buffer part, SseDecoder events) {
        if (over) {
            return;
        }
        try {
            events.add(part);
        } catch (RuntimeException e) {
            fail(new ModelFailure(FailureKind.UNREADABLE, "an event cannot be read", e));
        }
    }

    private void heard(ServerSentEvent event) {
        lastEvent = System.nanoTime();
        if (over) {
            return;
        }
        if (event.data().equals("[DONE]")) {
            complete();
        } else if (ERROR.matcher(event.data()).lookingAt()) {
            fail(new ModelFailure(FailureKind.UNAVAILABLE, "an error in the stream"));
        } else {
            listener.onEvent(event, new ServerSentEventContext(this));
        }
    }

    private void complete() {
        done = true;
        over = true;
        listener.onClose();
    }

    private void ended(SseDecoder events) {
        if (!over) {
            read(Buffer.buffer("\n\n"), events);
        }
        released = true;
        if (!over) {
            over = true;
            // an answer without its last event is not complete; a completed stream ignores the failure
            listener.onClose();
            listener.onError(new ModelFailure(FailureKind.UNAVAILABLE, "the stream ended early"));
        }
    }

    private void refused(HttpClientResponse answer) {
        Buffer body = Buffer.buffer();
        answer.exceptionHandler(_ -> fail(ProviderErrors.of(answer, body)));
        answer.endHandler(_ -> {
            released = true;
            fail(ProviderErrors.of(answer, body));
        });
        answer.handler(part -> readRefusal(answer, body, part));
    }

    private void readRefusal(HttpClientResponse answer, Buffer body, Buffer part) {
        body.appendBuffer(part, 0, Math.min(part.length(), LONGEST_REFUSAL));
        if (body.length() >= LONGEST_REFUSAL) {
            fail(ProviderErrors.of(answer, body));
        }
    }

    private void lost(Throwable reason) {
        released = true;
        fail(new ModelFailure(FailureKind.UNAVAILABLE, "the connection failed", reason));
    }

    private void fail(ModelFailure failure) {
        if (!over) {
            over = true;
            release();
            listener.onError(failure);
        }
    }

    /** Checks for silence and the deadline; a request that is over is watched until its connection is released. */
    private void watch() {
        if (released) {
            return;
        }
        long now = System.nanoTime();
        long idle = paused ? silence.toNanos() : silence.toNanos() - (now - lastEvent);
        long wait = Math.min(idle, deadline - now);
        if (wait > 0) {
            context.owner().setTimer(TimeUnit.NANOSECONDS.toMillis(wait) + 1, _ -> watch());
        } else if (over) {
            release();
        } else {
            boolean late = deadline - now <= 0;
            fail(new ModelFailure(
                    late ? FailureKind.LATE : FailureKind.SILENT, late ? "the turn took too long" : "no token came"));
        }
    }

    private void release() {
        if (!released && request != null) {
            released = true;
            request.reset(CANCEL);
        }
    }

    @Override
    public boolean isCancelled() {
        return cancelled;
    }

    @Override
    public SuccessfulHttpResponse execute(HttpRequest request) {
        throw new UnsupportedOperationException("answers are streamed");
    }

    @Override
    public VertxLlmHttpClient build() {
        return this;
    }

    @Override
    public Duration connectTimeout() {
        return CONNECT_TIMEOUT;
    }

    @Override
    public VertxLlmHttpClient connectTimeout(Duration timeout) {
        return this;
    }

    @Override
    public Duration readTimeout() {
        return silence;
    }

    @Override
    public VertxLlmHttpClient readTimeout(Duration timeout) {
        return this;
    }
}
