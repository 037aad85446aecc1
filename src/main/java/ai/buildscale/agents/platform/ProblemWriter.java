package ai.buildscale.agents.platform;

import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.Json;
import io.vertx.ext.web.RoutingContext;

/** Writes a problem where no resource answers: the token check, the limits, paths that are not ours. */
final class ProblemWriter {
    private ProblemWriter() {}

    static void write(RoutingContext context, Problem problem) {
        write(context.request(), problem);
    }

    static void write(HttpServerRequest request, Problem problem) {
        HttpServerResponse response = request.response();
        if (response.ended() || response.headWritten()) {
            return;
        }
        if (problem.passes() && EventStreams.isAskedFor(request.method().name(), request.path())) {
            EventStreams.comeAgain(response, problem);
            return;
        }
        response.setStatusCode(problem.type().status()).putHeader("Content-Type", ProblemMapper.PROBLEM_JSON);
        problem.retryAfterSeconds().ifPresent(seconds -> response.putHeader("Retry-After", Integer.toString(seconds)));
        problem.challenge().ifPresent(challenge -> response.putHeader("WWW-Authenticate", challenge));
        response.end(Json.encode(problem.document(String.valueOf(request.path()))));
    }
}
