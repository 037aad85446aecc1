package ai.buildscale.agents.platform;

import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.regex.Pattern;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logmanager.MDC;

/** The first thing a request meets: it gets its id, and is turned away if its body is announced as too large. */
@ApplicationScoped
public class HttpGate {
    static final String REQUEST_ID = "X-Request-Id";
    private static final Pattern ACCEPTED_ID = Pattern.compile("[A-Za-z0-9._:-]{1,128}");
    private static final int BEFORE_EVERYTHING = 1_000;

    private final long maxBody;

    HttpGate(@ConfigProperty(name = "quarkus.http.limits.max-body-size") MemorySize maxBody) {
        this.maxBody = maxBody.asLongValue();
    }

    void register(@Observes Filters filters) {
        filters.register(this::enter, BEFORE_EVERYTHING);
    }

    void register(@Observes Router router) {
        router.errorHandler(
                404,
                context -> ProblemWriter.write(
                        context, Problem.notFound(context.request().path())));
        router.errorHandler(413, HttpGate::tooLarge);
        router.errorHandler(
                400,
                context -> ProblemWriter.write(
                        context, new Problem(ProblemType.VALIDATION_ERROR, "The request could not be read")));
    }

    private void enter(RoutingContext context) {
        String given = context.request().getHeader(REQUEST_ID);
        String id = given != null && ACCEPTED_ID.matcher(given).matches()
                ? given
                : Ids.ofRequest().toString();
        MDC.put("request_id", id);
        context.response().putHeader(REQUEST_ID, id);
        String length = context.request().getHeader("Content-Length");
        if (length != null && length.length() > 4 && announced(length) > maxBody) {
            tooLarge(context);
        } else {
            context.next();
        }
    }

    private static long announced(String length) {
        try {
            return Long.parseLong(length);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    /** Answers and closes: what is still being sent is not read. */
    private static void tooLarge(RoutingContext context) {
        context.response().putHeader("Connection", "close");
        context.response().endHandler(_ -> context.request().connection().close());
        ProblemWriter.write(context, new Problem(ProblemType.PAYLOAD_TOO_LARGE, "The request body is too large"));
    }
}
