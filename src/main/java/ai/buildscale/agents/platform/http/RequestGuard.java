package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.postgres.Migrations;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.problem.ProblemWriter;
import io.netty.util.AsciiString;
import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.MultiMap;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClosedException;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.net.impl.ConnectionBase;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.impl.RoutingContextInternal;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Guards every request once its head has been read: answers preflights, and refuses requests that are too large or
 * cannot be served. Vert.x would do the latter too, but in silence: its own limits lie above these, as the last
 * resort.
 */
@ApplicationScoped
public class RequestGuard {
    private static final int BEFORE_EVERYTHING = 1_000;
    /** Quarkus authorizes at 100: nobody's body is read before that. */
    private static final int AFTER_AUTHORIZATION = 50;
    /** What RFC 9110, section 4.1, wants to be supported at least. */
    private static final int MAX_URI = 8_000;

    /** As nginx calls it; nobody reads it but the metrics. */
    private static final int CLIENT_CLOSED_REQUEST = 499;

    private static final long LINGER_MILLIS = 2_000;
    private static final int SHOWN = 100;
    private static final Set<HttpMethod> WITH_BODY = Set.of(HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH);
    private static final CharSequence IDENTITY = HttpHeaders.IDENTITY;

    /** What some generated clients accept alone: that errors may come so says nothing against an answer. */
    private static final String STRUCTURED_JSON = "+json";

    private final long maxBody;
    private final long maxHeaders;
    private final Migrations migrations;
    private final AnswerHeaders headers;

    RequestGuard(
            @ConfigProperty(name = "quarkus.http.limits.max-body-size") MemorySize maxBody,
            @ConfigProperty(name = "limits.header-size") MemorySize maxHeaders,
            Migrations migrations,
            AnswerHeaders headers) {
        this.maxBody = maxBody.asLongValue();
        this.maxHeaders = maxHeaders.asLongValue();
        this.migrations = migrations;
        this.headers = headers;
    }

    void register(@Observes Filters filters) {
        filters.register(this::enter, BEFORE_EVERYTHING);
        filters.register(this::readUnannounced, AFTER_AUTHORIZATION);
    }

    private void enter(RoutingContext context) {
        HttpServerRequest request = context.request();
        if (!ClientConnection.isOpen(request)) {
            // nobody waits for it: what it began would never hear that its client has gone
            context.response().setStatusCode(CLIENT_CLOSED_REQUEST).end();
            return;
        }
        headers.put(request);
        if (Cors.isPreflight(request)) {
            Cors.answerPreflight(request);
            return;
        }
        if (request.version() == HttpVersion.HTTP_2) {
            // Quarkus sets it where a body is too large; RFC 9113, section 8.2.2, forbids it
            context.addHeadersEndHandler(_ -> context.response().headers().remove(HttpHeaders.CONNECTION));
        } else if (request.headers().contains(HttpHeaders.TRANSFER_ENCODING)) {
            request.exceptionHandler(failure -> unreadableBody(request, failure));
        }
        Problem complaint = complaint(request);
        if (complaint == null) {
            context.next();
        } else if (complaint.type() == ProblemType.PAYLOAD_TOO_LARGE) {
            tooLarge(context);
        } else {
            ProblemWriter.write(request, complaint);
        }
    }

    private Problem complaint(HttpServerRequest request) {
        if (request.uri().length() > MAX_URI) {
            return uriTooLong();
        }
        Problem unusable = headers(request);
        if (unusable != null) {
            return unusable;
        }
        // Jakarta REST takes what follows a semicolon for a parameter, the rules on who must have a token do not
        if (request.path() == null || request.path().indexOf(';') >= 0) {
            return Problem.notFound(String.valueOf(request.path()));
        }
        // Jakarta REST takes an empty header for none: who sends one believes to be safe from doing it twice
        String key = request.getHeader(Idempotency.KEY);
        if (key != null && key.isBlank()) {
            return Idempotency.unusableKey();
        }
        Problem unexpected = body(request);
        if (unexpected != null) {
            return unexpected;
        }
        if (!migrations.done() && request.path().startsWith("/api/")) {
            return Problem.unavailable();
        }
        String length = request.getHeader(HttpHeaders.CONTENT_LENGTH);
        return length != null && length.length() > 4 && announced(length) > maxBody
                ? new Problem(ProblemType.PAYLOAD_TOO_LARGE, "")
                : null;
    }

    static Problem uriTooLong() {
        return new Problem(
                ProblemType.URI_TOO_LONG, "Path and query may have at most " + MAX_URI + " characters together");
    }

    /** What is wrong with the head as a whole; makes JSON acceptable where problems in JSON are. */
    private Problem headers(HttpServerRequest request) {
        if (request.version() == null) {
            request.response().putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE);
            return new Problem(
                    ProblemType.HTTP_VERSION_NOT_SUPPORTED, "This service speaks HTTP/1.1, HTTP/1.0 and HTTP/2");
        }
        long size = 0;
        int hosts = 0;
        boolean acceptsProblems = false;
        for (Map.Entry<String, String> header : request.headers()) {
            String name = header.getKey();
            size += name.length() + header.getValue().length() + 4;
            if (name.length() == 4 && name.equalsIgnoreCase("Host")) {
                hosts++;
            } else if (name.length() == 6 && name.equalsIgnoreCase("Accept")) {
                acceptsProblems |= AsciiString.containsIgnoreCase(header.getValue(), STRUCTURED_JSON);
            }
        }
        if (size > maxHeaders) {
            return new Problem(
                    ProblemType.HEADERS_TOO_LARGE, "The headers may have at most " + maxHeaders + " bytes together");
        }
        if (hosts > 1) {
            return Problem.invalid("Host", "must be there once");
        }
        if (acceptsProblems) {
            request.headers().add(HttpHeaders.ACCEPT, "application/json;q=0.001");
        }
        return null;
    }

    /** What is wrong with the body, as far as the head tells. */
    private static Problem body(HttpServerRequest request) {
        MultiMap given = request.headers();
        String expected = given.get(HttpHeaders.EXPECT);
        if (expected != null && !expected.equalsIgnoreCase("100-continue")) {
            return new Problem(ProblemType.EXPECTATION_FAILED, "Of Expect, only 100-continue can be met");
        }
        String framing = given.get(HttpHeaders.TRANSFER_ENCODING);
        if (framing != null && !framing.equalsIgnoreCase("chunked")) {
            // where such a body ends nobody knows (RFC 9112, section 6.3)
            request.response().putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE);
            return Problem.invalid("Transfer-Encoding", "must be chunked");
        }
        String coding = given.get(HttpHeaders.CONTENT_ENCODING);
        return coding == null || !hasBody(request, framing) ? null : coded(request);
    }

    private static boolean hasBody(HttpServerRequest request, String framing) {
        String length = request.getHeader(HttpHeaders.CONTENT_LENGTH);
        return length == null
                ? framing != null || (request.version() == HttpVersion.HTTP_2 && WITH_BODY.contains(request.method()))
                : !length.equals("0");
    }

    /** A body in a content coding; the answer says which are taken, as RFC 9110, section 12.5.3, has it. */
    private static Problem coded(HttpServerRequest request) {
        String codings = String.join(", ", request.headers().getAll(HttpHeaders.CONTENT_ENCODING));
        for (String coding : codings.split(",", -1)) {
            if (!coding.isBlank() && !coding.strip().equalsIgnoreCase("identity")) {
                request.response().putHeader(HttpHeaders.ACCEPT_ENCODING, IDENTITY);
                return new Problem(
                                ProblemType.UNSUPPORTED_MEDIA_TYPE,
                                "Send the body as it is: Content-Encoding " + shortened(coding.strip())
                                        + " is not supported")
                        .field("Content-Encoding", "must be identity, or left out");
            }
        }
        return null;
    }

    private static String shortened(String text) {
        return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…";
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
        if (request.version() == HttpVersion.HTTP_2 || !request.headers().contains(HttpHeaders.TRANSFER_ENCODING)) {
            context.next();
            return;
        }
        Buffer body = Buffer.buffer();
        AtomicBoolean refused = new AtomicBoolean();
        request.exceptionHandler(failure -> {
            refused.set(true);
            unreadableBody(request, failure);
        });
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

    /** Vert.x closes the connection right after this, and forgets what it has not sent yet. */
    private static void unreadableBody(HttpServerRequest request, Throwable failure) {
        if (failure instanceof HttpClosedException || failure instanceof IOException) {
            return;
        }
        ProblemWriter.write(
                request,
                new Problem(ProblemType.VALIDATION_ERROR, "The body's chunks cannot be read")
                        .field("body", "must be in the chunked coding that Transfer-Encoding announces"));
        if (request.connection() instanceof ConnectionBase connection) {
            connection.channelHandlerContext().flush();
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
            context.response().putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE);
        }
        ProblemWriter.write(context, new Problem(ProblemType.PAYLOAD_TOO_LARGE, "The request body is too large"));
        request.resume();
    }
}
