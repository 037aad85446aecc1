package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.telemetry.RequestMetrics;
import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.impl.HttpServerRequestInternal;
import jakarta.inject.Singleton;
import java.util.regex.Pattern;
import org.jboss.logmanager.MDC;

/** Sets the headers of every answer: the request's id, the rules for browsers, and the conditions for caches. */
@Singleton
public class AnswerHeaders {
    static final CharSequence REQUEST_ID = HttpHeaders.createOptimized("X-Request-Id");
    private static final CharSequence CONTENT_TYPE_OPTIONS = HttpHeaders.createOptimized("X-Content-Type-Options");
    private static final CharSequence NO_SNIFFING = HttpHeaders.createOptimized("nosniff");
    private static final CharSequence FRAME_OPTIONS = HttpHeaders.createOptimized("X-Frame-Options");
    private static final CharSequence NO_FRAME = HttpHeaders.createOptimized("DENY");
    private static final CharSequence REFERRER_POLICY = HttpHeaders.createOptimized("Referrer-Policy");
    private static final CharSequence NO_REFERRER = HttpHeaders.createOptimized("no-referrer");
    private static final CharSequence OF_ONE_CALLER = HttpHeaders.createOptimized("private, no-cache");
    private static final Pattern ACCEPTED_ID = Pattern.compile("[A-Za-z0-9._:-]{1,128}");

    private final Cors cors;
    private final CharSequence vary;

    AnswerHeaders(Cors cors) {
        this.cors = cors;
        this.vary =
                HttpHeaders.createOptimized(cors.isOriginDecisive() ? "Origin, Accept-Encoding" : "Accept-Encoding");
    }

    /** Puts them on the answer to this request, unless they are there; to be called before anything else answers. */
    void put(HttpServerRequest request) {
        MultiMap answer = request.response().headers();
        if (answer.contains(REQUEST_ID)) {
            return;
        }
        RequestMetrics.unmatched((HttpServerRequestInternal) request);
        String given = request.getHeader(REQUEST_ID);
        String id = given != null && ACCEPTED_ID.matcher(given).matches()
                ? given
                : Ids.ofRequest().toString();
        MDC.put("request_id", id);
        answer.set(REQUEST_ID, id);
        answer.set(CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        answer.set(FRAME_OPTIONS, NO_FRAME);
        answer.set(REFERRER_POLICY, NO_REFERRER);
        answer.set(HttpHeaders.VARY, vary);
        String path = request.path();
        if (path != null && path.startsWith("/api/")) {
            answer.set(HttpHeaders.CACHE_CONTROL, OF_ONE_CALLER);
        }
        cors.allow(request, answer);
    }
}
