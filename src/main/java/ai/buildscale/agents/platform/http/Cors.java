package ai.buildscale.agents.platform.http;

import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Tells browsers which pages may read the answers: those whose origin {@code CORS_ORIGINS} names. Nobody is refused here:
 * any other page is served as anybody is, and its browser keeps the answer from it. Credentials are never allowed, as
 * callers show a bearer token, which no browser sends by itself.
 */
@Singleton
public class Cors {
    private static final CharSequence ALLOWED_ORIGIN = HttpHeaders.ACCESS_CONTROL_ALLOW_ORIGIN;

    /** What a page may read beside the headers that it always may. */
    private static final CharSequence EXPOSED = HttpHeaders.createOptimized(
            "ETag, Location, Retry-After, X-Request-Id, WWW-Authenticate, Allow, Accept-Encoding");

    private static final String METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";

    /** What clients of this API send, what libraries add to each request, and what carries a trace along. */
    private static final String HEADERS = String.join(
            ", ",
            "authorization",
            "content-type",
            "accept",
            "accept-language",
            "cache-control",
            "pragma",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "last-event-id",
            "x-request-id",
            "x-requested-with",
            "traceparent",
            "tracestate",
            "baggage",
            "b3",
            "x-b3-traceid",
            "x-b3-spanid",
            "x-b3-parentspanid",
            "x-b3-sampled",
            "x-b3-flags",
            "sentry-trace",
            "x-datadog-trace-id",
            "x-datadog-parent-id",
            "x-datadog-origin",
            "x-datadog-sampling-priority",
            "x-amzn-trace-id",
            "x-cloud-trace-context");

    /** How long a browser may remember the answer to a preflight: no browser remembers it for longer than two hours. */
    private static final String MAX_AGE_SECONDS = "7200";

    private static final Pattern ORIGIN =
            Pattern.compile("(?<scheme>[a-z][a-z0-9+.-]*)://(?<host>[^/?#@\\s:]+|\\[[0-9a-f:.]+])(?<port>:\\d{1,5})?");

    private final boolean anyOrigin;
    private final Set<String> origins = new HashSet<>();
    private final List<Pattern> patterns = new ArrayList<>();

    Cors(@ConfigProperty(name = "quarkus.http.cors.origins") Optional<List<String>> configured) {
        List<String> entries = configured.orElse(List.of());
        this.anyOrigin = entries.stream().anyMatch(entry -> entry.strip().equals("*"));
        entries.stream()
                .map(String::strip)
                .filter(entry -> !entry.isEmpty() && !entry.equals("*"))
                .forEach(this::take);
    }

    private void take(String entry) {
        if (entry.length() > 2 && entry.startsWith("/") && entry.endsWith("/")) {
            patterns.add(regex(entry.substring(1, entry.length() - 1)));
        } else {
            origins.add(entry.equals("null") ? entry : origin(entry));
        }
    }

    private static Pattern regex(String text) {
        try {
            return Pattern.compile(text);
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException(
                    "CORS_ORIGINS: /" + text + "/ is not a regular expression: " + e.getDescription(), e);
        }
    }

    /** The origin as browsers write it: in lower case, without the port that its scheme has by default. */
    private static String origin(String entry) {
        String text = entry.toLowerCase(Locale.ROOT);
        Matcher origin = ORIGIN.matcher(text.endsWith("/") ? text.substring(0, text.length() - 1) : text);
        if (!origin.matches()) {
            throw new IllegalArgumentException("CORS_ORIGINS: " + entry
                    + " is not an origin; write scheme://host or scheme://host:port, /a regular expression/, or *");
        }
        String scheme = origin.group("scheme");
        String port = origin.group("port");
        boolean isDefault = port == null || (scheme + port).equals("https:443") || (scheme + port).equals("http:80");
        return scheme + "://" + origin.group("host") + (isDefault ? "" : port);
    }

    /** Whether answers differ from one origin to the other, so that caches have to keep them apart. */
    boolean isOriginDecisive() {
        return !anyOrigin && !(origins.isEmpty() && patterns.isEmpty());
    }

    /** Adds what the browser wants to see before it shows the answer to the page that asked. */
    void allow(HttpServerRequest request, MultiMap answer) {
        String origin = anyOrigin ? "*" : request.getHeader(HttpHeaders.ORIGIN);
        if (origin != null && (anyOrigin || isAllowed(origin))) {
            answer.set(ALLOWED_ORIGIN, origin);
            answer.set(HttpHeaders.ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    boolean isAllowed(String origin) {
        return anyOrigin
                || origins.contains(origin)
                || patterns.stream().anyMatch(pattern -> pattern.matcher(origin).matches());
    }

    /** Whether a browser asks what a page may send, before it sends it. */
    static boolean isPreflight(HttpServerRequest request) {
        return HttpMethod.OPTIONS.equals(request.method())
                && request.getHeader(HttpHeaders.ORIGIN) != null
                && (request.getHeader(HttpHeaders.ACCESS_CONTROL_REQUEST_METHOD) != null
                        || request.getHeader(HttpHeaders.ACCESS_CONTROL_REQUEST_HEADERS) != null);
    }

    /** Answers a preflight: with nothing, if the origin is not allowed. */
    static void answerPreflight(HttpServerRequest request) {
        MultiMap answer = request.response().headers();
        if (answer.contains(ALLOWED_ORIGIN)) {
            answer.remove(HttpHeaders.ACCESS_CONTROL_EXPOSE_HEADERS);
            answer.set(HttpHeaders.ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            answer.set(HttpHeaders.ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            answer.set(HttpHeaders.ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        }
        request.response().setStatusCode(204).end();
    }
}
