package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.problem.ProblemWriter;
import ai.buildscale.agents.platform.security.Authentication;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.jboss.logging.Logger;

/**
 * Writes every refusal of Vert.x' router and of Quarkus' filters as a problem document. Those of resources are written
 * by {@link ProblemMapper}, those of the token check by {@link Authentication}.
 */
@ApplicationScoped
public class Refusals {
    private static final Logger LOG = Logger.getLogger(Refusals.class);
    private static final int BEFORE_QUARKUS = Integer.MAX_VALUE - 1;

    private final AnswerHeaders headers;

    Refusals(AnswerHeaders headers) {
        this.headers = headers;
    }

    void register(@Observes Router router) {
        // what no route takes, and paths that the router itself cannot read
        List.of(400, 404, 500)
                .forEach(status -> router.errorHandler(status, context -> refuse(context, problem(context, status))));
        router.route().order(Integer.MIN_VALUE).failureHandler(this::failed);
        router.route().order(BEFORE_QUARKUS).failureHandler(this::failedForGood);
    }

    private void failed(RoutingContext context) {
        if (context.failure() instanceof Problem problem) {
            refuse(context, problem);
        } else if (context.statusCode() == 400 || context.statusCode() == 404) {
            refuse(context, problem(context, context.statusCode()));
        } else {
            context.next();
        }
    }

    /** Leaves to Quarkus what its token check has failed, and clients that have gone. */
    private void failedForGood(RoutingContext context) {
        switch (context.failure()) {
            case SecurityException _, IOException _ -> context.next();
            case RejectedExecutionException _ ->
                refuse(
                        context,
                        new Problem(ProblemType.UNAVAILABLE, "The service has too much to do right now").retryAfter(1));
            case null, default -> refuse(context, problem(context, 500));
        }
    }

    private void refuse(RoutingContext context, Problem problem) {
        headers.put(context.request());
        ProblemWriter.write(context, problem);
    }

    private static Problem problem(RoutingContext context, int status) {
        String path = String.valueOf(context.request().path());
        return switch (status) {
            case 400 -> new Problem(ProblemType.VALIDATION_ERROR, "The request could not be read");
            case 404 -> Problem.notFound(path);
            default -> unexpected(path, context.failure());
        };
    }

    /** Logs what nobody foresaw under an id, which is all that the caller is told. */
    static Problem unexpected(String path, Throwable failure) {
        String id = Ids.next().toString();
        LOG.errorf(failure, "error %s on %s", id, path);
        return new Problem(ProblemType.INTERNAL_ERROR, "Something went wrong; the log has it under " + id)
                .with("error_id", id);
    }
}
