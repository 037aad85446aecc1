package ai.buildscale.agents.platform;

import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.http.impl.HttpServerRequestInternal;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.impl.RoutingContextInternal;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Pattern;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logmanager.MDC;

/**
 * The first thing a request meets: it gets its id, and is turned away if it is too large or cannot be read. Vert.x
 * would do the latter too, but in silence: its own limits lie above these, as the last resort.
 */
@ApplicationScoped
public class HttpGate {
    static final String REQUEST_ID = "X-Request-Id";
    private static final String CONNECTION = "Connection";
    private static final Pattern ACCEPTED_ID = Pattern.compile("[A-Za-z0-9._:-]{1,128}");
    private static final int BEFORE_EVERYTHING = 1_000;
    /** Quarkus authorizes at 100: nobody's body is read before that. */
    private static final int AFTER_AUTHORIZATION = 50;
    /** What RFC 9110, section 4.1, wants to be supported at least. */
    private static final int MAX_URI = 8_000;

    /** As nginx calls it; nobody reads it but the metrics. */
    private static final int CLIENT_CLOSED_REQUEST = 499;

    private static final long LINGER_MILLIS = 2_000;

    private final long maxBody;
    private final long maxHeaders;
    private final Migrations migrations;

    HttpGate(
            @ConfigProperty(name = "quarkus.http.limits.max-body-size") MemorySize maxBody,
            @ConfigProperty(name = "limits.header-size") MemorySize maxHeaders,
            Migrations migrations) {
        this.maxBody = maxBody.asLongValue();
        this.maxHeaders = maxHeaders.asLongValue();
        this.migrations = migrations;
    }

    void register(@Observes Filters filters) {
        filters.register(this::enter, BEFORE_EVERYTHING);
        filters.register(this::readUnannounced, AFTER_AUTHORIZATION);
    }

    void register(@Observes Router router) {
        router.errorHandler(
                404,
                context -> ProblemWriter.write(
                        context, Problem.notFound(context.request().path())));
        router.route().order(Integer.MIN_VALUE).failureHandler(HttpGate::failed);
    }

    private void enter(RoutingContext context) {
        HttpServerRequest request = context.request();
        if (!ClientConnection.isOpen(request)) {
            // nobody waits for it: what it began would never hear that its client has gone
            context.response().setStatusCode(CLIENT_CLOSED_REQUEST).end();
            return;
        }
        RequestMetrics.unmatched((HttpServerRequestInternal) request);
        String given = request.getHeader(REQUEST_ID);
        String id = given != null && ACCEPTED_ID.matcher(given).matches()
                ? given
                : Ids.ofRequest().toString();
        MDC.put("request_id", id);
        context.response().putHeader(REQUEST_ID, id);
        if (request.version() == HttpVersion.HTTP_2) {
            // Quarkus sets it where a body is too large; RFC 9113, section 8.2.2, forbids it
            context.addHeadersEndHandler(_ -> context.response().headers().remove(CONNECTION));
        }
        Problem complaint = complaint(request);
        if (complaint == null) {
            context.next();
        } else if (complaint.type() == ProblemType.PAYLOAD_TOO_LARGE) {
            tooLarge(context);
        } else {
            ProblemWriter.write(context, complaint);
        }
    }

    private Problem complaint(HttpServerRequest request) {
        String uri = request.uri();
        if (uri.length() > MAX_URI) {
            return new Problem(
                    ProblemType.URI_TOO_LONG, "Path and query may have at most " + MAX_URI + " characters together");
        }
        if (size(request) > maxHeaders) {
            return new Problem(
                    ProblemType.HEADERS_TOO_LARGE, "The headers may have at most " + maxHeaders + " bytes together");
        }
        // Jakarta REST takes what follows a semicolon for a parameter, the rules on who must have a token do not
        if (request.path() == null || request.path().indexOf(';') >= 0) {
            return Problem.notFound(String.valueOf(request.path()));
        }
        String unreadable = Text.unreadablePart(uri);
        if (unreadable != null) {
            return Problem.invalid(unreadable, "must be percent-encoded UTF-8");
        }
        // Jakarta REST takes an empty header for none: who sends one believes to be safe from doing it twice
        String key = request.getHeader("Idempotency-Key");
        if (key != null && key.isBlank()) {
            return Idempotency.unusableKey();
        }
        if (!migrations.done() && request.path().startsWith("/api/")) {
            return Problem.unavailable();
        }
        String length = request.getHeader("Content-Length");
        return length != null && length.length() > 4 && announced(length) > maxBody
                ? new Problem(ProblemType.PAYLOAD_TOO_LARGE, "")
                : null;
    }

    private static long size(HttpServerRequest request) {
        long size = 0;
        for (Map.Entry<String, String> header : request.headers()) {
            size += header.getKey().length() + header.getValue().length() + 4;
        }
        return size;
    }

    private static long announced(String length) {
        try {
            return Long.parseLong(length);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    /** A body whose length is not known beforehand is read here, so that one that turns out too large gets an answer. */
    private void readUnannounced(RoutingContext context) {
        HttpServerRequest request = context.request();
        // over HTTP/2 a request that has been read here cannot be handed on: there Quarkus' own limit answers
        if (request.version() == HttpVersion.HTTP_2 || request.getHeader("Transfer-Encoding") == null) {
            context.next();
            return;
        }
        Buffer body = Buffer.buffer();
        AtomicBoolean refused = new AtomicBoolean();
        request.exceptionHandler(_ -> refused.set(true));
        request.endHandler(_ -> {
            if (!refused.get()) {
                ((RoutingContextInternal) context).setBody(body);
                context.next();
            }
        });
        request.handler(chunk -> {
            if (body.length() + chunk.length() <= maxBody) {
                body.appendBuffer(chunk);
            } else if (refused.compareAndSet(false, true)) {
                tooLarge(context);
            }
        });
        request.resume();
    }

    private static void failed(RoutingContext context) {
        if (context.failure() instanceof Problem problem) {
            ProblemWriter.write(context, problem);
        } else if (context.statusCode() == 400) {
            ProblemWriter.write(context, new Problem(ProblemType.VALIDATION_ERROR, "The request could not be read"));
        } else {
            context.next();
        }
    }

    /**
     * Answers, and goes on reading for a moment: cut off while it sends, a client would never see why. Then the
     * connection ends, or over HTTP/2, where others share it, the stream.
     */
    private static void tooLarge(RoutingContext context) {
        HttpServerRequest request = context.request();
        request.handler(_ -> {});
        if (request.version() == HttpVersion.HTTP_2) {
            context.vertx().setTimer(LINGER_MILLIS, _ -> request.response().reset());
        } else {
            request.endHandler(_ -> request.connection().close());
            context.vertx().setTimer(LINGER_MILLIS, _ -> request.connection().close());
            context.response().putHeader(CONNECTION, "close");
        }
        ProblemWriter.write(context, new Problem(ProblemType.PAYLOAD_TOO_LARGE, "The request body is too large"));
        request.resume();
    }
}
