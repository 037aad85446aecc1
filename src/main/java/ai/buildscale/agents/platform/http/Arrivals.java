package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.problem.ProblemWriter;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.quarkus.vertx.VertxOptionsCustomizer;
import io.quarkus.vertx.http.runtime.VertxHttpRecorder;
import io.vertx.core.Context;
import io.vertx.core.Handler;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.impl.HttpServerConnection;
import io.vertx.core.spi.VertxTracerFactory;
import io.vertx.core.spi.tracing.SpanKind;
import io.vertx.core.spi.tracing.TagExtractor;
import io.vertx.core.spi.tracing.VertxTracer;
import io.vertx.core.tracing.TracingOptions;
import io.vertx.core.tracing.TracingPolicy;
import jakarta.inject.Singleton;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * Receives each request before Quarkus does, and answers those that neither Quarkus nor Vert.x can read: both would
 * close them without an explanation. Vert.x has a handler for them, but only its server can set it, which Quarkus keeps
 * to itself; a tracer is the first to see a request, together with its connection, which can set it too (ADR 14).
 */
@Singleton
public class Arrivals implements VertxOptionsCustomizer {
    private static final Handler<HttpServerRequest> QUARKUS = VertxHttpRecorder.getRootHandler();

    private final AnswerHeaders headers;
    private final TrustedProxies proxies;
    private final Handler<HttpServerRequest> readable = this::receive;
    private final Handler<HttpServerRequest> unreadable = this::refuse;

    Arrivals(AnswerHeaders headers, TrustedProxies proxies) {
        this.headers = headers;
        this.proxies = proxies;
    }

    @Override
    @SuppressWarnings("deprecation") // whoever builds Vert.x would set the factory, and that is Quarkus
    public void accept(VertxOptions options) {
        TracingOptions traces = options.getTracingOptions();
        VertxTracerFactory given = traces == null ? VertxTracerFactory.NOOP : traces.getFactory();
        options.setTracingOptions(
                new TracingOptions().setFactory(own -> new Tracer(given.tracer(own), traces != null)));
    }

    private void receive(HttpServerRequest request) {
        Problem complaint = complaint(request.uri());
        if (complaint == null) {
            handOver(request);
        } else {
            headers.put(request);
            ProblemWriter.write(request, complaint);
        }
    }

    private void handOver(HttpServerRequest request) {
        try {
            QUARKUS.handle(request);
        } catch (RuntimeException e) {
            // thrown before any route could see to it: nobody else would answer
            headers.put(request);
            ProblemWriter.write(request, Refusals.unexpected(request.path(), e));
        }
    }

    /** Whatever Quarkus would answer with an empty 400; and what is not ASCII, which it would take for ISO 8859-1. */
    private static Problem complaint(String uri) {
        String part = TextRules.unreadablePart(uri);
        if (part != null) {
            return Problem.invalid(part, "must be percent-encoded UTF-8");
        }
        boolean isUsual = uri.length() > 1 && uri.charAt(0) == '/' && uri.charAt(1) != '/';
        return isUsual || isUri(uri) ? null : Problem.invalid("path", "must be an absolute path");
    }

    private static boolean isUri(String text) {
        try {
            var _ = new URI(text);
            return true;
        } catch (URISyntaxException e) {
            return false;
        }
    }

    /** Answers what is no HTTP, as far as it could be read; Vert.x closes the connection then. */
    private void refuse(HttpServerRequest request) {
        headers.put(request);
        request.response().putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE);
        ProblemWriter.write(
                request,
                switch (request.decoderResult().cause()) {
                    case TooLongHttpLineException _ -> RequestGuard.uriTooLong();
                    case TooLongHttpHeaderException _ ->
                        new Problem(ProblemType.HEADERS_TOO_LARGE, "The headers are far too large");
                    case null, default ->
                        new Problem(
                                ProblemType.VALIDATION_ERROR,
                                "The first line or a header of the request cannot be read");
                });
    }

    @SuppressWarnings({"rawtypes", "unchecked"}) // what a tracer hands from call to call is its own affair
    private final class Tracer implements VertxTracer<Object, Object> {
        private final VertxTracer next;
        private final boolean isTracing;

        Tracer(VertxTracer next, boolean isTracing) {
            this.next = next;
            this.isTracing = isTracing;
        }

        @Override
        public <R> Object receiveRequest(
                Context context,
                SpanKind kind,
                TracingPolicy policy,
                R request,
                String operation,
                Iterable<Map.Entry<String, String>> headers,
                TagExtractor<R> tags) {
            if (request instanceof HttpServerRequest arrived
                    && arrived.connection() instanceof HttpServerConnection connection) {
                connection.handler(readable).invalidRequestHandler(unreadable);
                if (isTracing || proxies.isAnybodyTrusted()) {
                    proxies.screen(arrived);
                }
            }
            return next.receiveRequest(context, kind, policy, request, operation, headers, tags);
        }

        @Override
        public <R> void sendResponse(
                Context context, R response, Object payload, Throwable failure, TagExtractor<R> tags) {
            next.sendResponse(context, response, payload, failure, tags);
        }

        @Override
        public <R> Object sendRequest(
                Context context,
                SpanKind kind,
                TracingPolicy policy,
                R request,
                String operation,
                BiConsumer<String, String> headers,
                TagExtractor<R> tags) {
            return next.sendRequest(context, kind, policy, request, operation, headers, tags);
        }

        @Override
        public <R> void receiveResponse(
                Context context, R response, Object payload, Throwable failure, TagExtractor<R> tags) {
            next.receiveResponse(context, response, payload, failure, tags);
        }

        @Override
        public void close() {
            next.close();
        }
    }
}
