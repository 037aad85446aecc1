package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.ProblemDocument;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The answer to a POST in a form that is kept under an idempotency key and repeated.
 *
 * @param headers the headers that belong to the answer ({@code ETag}, {@code Location})
 * @param body what is written as JSON
 */
public record StoredResponse(int status, Map<String, String> headers, Object body) {
    public static StoredResponse ok(Object body) {
        return new StoredResponse(200, Map.of(), body);
    }

    public static StoredResponse created(String location, Object body) {
        return new StoredResponse(201, Map.of("Location", location), body);
    }

    public StoredResponse tagged(String etag) {
        Map<String, String> tagged = new LinkedHashMap<>(headers);
        tagged.put("ETag", etag);
        return new StoredResponse(status, tagged, body);
    }

    public Response response() {
        Response.ResponseBuilder builder = Response.status(status)
                .type(status < 400 ? MediaType.APPLICATION_JSON : ProblemDocument.MEDIA_TYPE)
                .entity(body);
        // as a string, Location stays relative: whatever the client took for this host, it is asked the same way again
        headers.forEach(builder::header);
        return builder.build();
    }
}
