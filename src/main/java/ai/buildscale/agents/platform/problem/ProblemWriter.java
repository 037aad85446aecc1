package ai.buildscale.agents.platform.problem;

import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.Json;
import io.vertx.ext.web.RoutingContext;

/** Writes a problem where no resource answers: the token check, the limits, paths that are not ours. */
public final class ProblemWriter {
    private ProblemWriter() {}

    public static void write(RoutingContext context, Problem problem) {
        write(context.request(), problem);
    }

    public static void write(HttpServerRequest request, Problem problem) {
        HttpServerResponse response = request.response();
        if (response.ended() || response.headWritten()) {
            return;
        }
        if (problem.passes() && StreamRefusal.isForStream(request.method().name(), request.path())) {
            StreamRefusal.write(response, problem);
            return;
        }
        response.setStatusCode(problem.type().status()).putHeader("Content-Type", ProblemDocument.MEDIA_TYPE);
        problem.retryAfterSeconds().ifPresent(seconds -> response.putHeader("Retry-After", Integer.toString(seconds)));
        problem.challenge().ifPresent(challenge -> response.putHeader("WWW-Authenticate", challenge));
        response.end(Json.encode(problem.document(String.valueOf(request.path()))));
    }
}
