package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemDocument;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.problem.StreamRefusal;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import org.eclipse.microprofile.openapi.OASFactory;
import org.eclipse.microprofile.openapi.models.Components;
import org.eclipse.microprofile.openapi.models.Operation;
import org.eclipse.microprofile.openapi.models.PathItem;
import org.eclipse.microprofile.openapi.models.media.Content;
import org.eclipse.microprofile.openapi.models.responses.APIResponse;

/** The errors of the API's document: each is defined once, and named by the operations that may answer it. */
enum ApiErrors {
    BAD_REQUEST(ProblemType.VALIDATION_ERROR, "a field, parameter or header is not valid; `fields` names it"),
    UNAUTHORIZED(ProblemType.INVALID_TOKEN, "the token is missing or not valid"),
    FORBIDDEN(ProblemType.FORBIDDEN, "the caller, or the caller's role, may not do this"),
    SESSION_FORBIDDEN(
            ProblemType.FORBIDDEN,
            "it exists, but is another's, or its owner has left the workspace or is a viewer there, who only reads; a"
                    + " session of such an owner is read and ended (`DELETE`) by the workspace's owners and admins"),
    NOT_FOUND(ProblemType.NOT_FOUND, "it does not exist"),
    NOT_ACCEPTABLE(ProblemType.NOT_ACCEPTABLE, "`Accept` does not allow what this answers"),
    CONFLICT(
            ProblemType.CONFLICT,
            "its state does not allow it (`current_status` and `allowed_transitions` tell), another owner holds it"
                    + " (`FENCED`), or the same request is in flight (`Retry-After`)"),
    STALE_VERSION(ProblemType.STALE_VERSION, "`If-Match` names other versions, or none"),
    PAYLOAD_TOO_LARGE(ProblemType.PAYLOAD_TOO_LARGE, "the body is over the limit"),
    URI_TOO_LONG(ProblemType.URI_TOO_LONG, "path and query are over 8,000 characters"),
    UNSUPPORTED_MEDIA_TYPE(
            ProblemType.UNSUPPORTED_MEDIA_TYPE, "the body is not application/json, or is in a Content-Encoding"),
    IDEMPOTENCY_MISMATCH(ProblemType.IDEMPOTENCY_MISMATCH, "the key was used with another path or body"),
    TOO_MANY_REQUESTS(
            ProblemType.RATE_LIMITED, "too many requests, or a quota is used up, or a mailbox full; see `Retry-After`"),
    HEADERS_TOO_LARGE(ProblemType.HEADERS_TOO_LARGE, "the headers are over the limit"),
    INTERNAL_ERROR(ProblemType.INTERNAL_ERROR, "unexpected; `error_id` is in the log"),
    UNAVAILABLE(ProblemType.UNAVAILABLE, "the database is away; try again after `Retry-After` seconds");

    static final String RETRY_AFTER = "Retry-After";
    static final String CHALLENGE = "WWW-Authenticate";

    private static final String OTHER = "OtherError";
    private static final String FOR_ADMINS = "/api/v1/servers";
    private static final String FOR_HOSTS = "/api/v1/agent-hosts";

    private final ProblemType type;
    private final String description;

    ApiErrors(ProblemType type, String description) {
        this.type = type;
        this.description = description;
    }

    static void define(Components components) {
        for (ApiErrors error : values()) {
            components.addResponse(error.title(), error.response());
        }
        components.addResponse(
                OTHER,
                OASFactory.createAPIResponse()
                        .description(
                                "What any path may answer to a request that HTTP does not allow there: 405, 417 and 505")
                        .content(content(ProblemType.METHOD_NOT_ALLOWED)));
    }

    /** As {@code BadRequest}. */
    private String title() {
        StringBuilder title = new StringBuilder();
        for (String word : name().split("_", -1)) {
            title.append(word.charAt(0)).append(word.substring(1).toLowerCase(Locale.ROOT));
        }
        return title.toString();
    }

    private APIResponse response() {
        APIResponse response = OASFactory.createAPIResponse()
                .description(type + ": " + description)
                .content(content(type));
        if (type == ProblemType.INVALID_TOKEN) {
            response.addHeader(CHALLENGE, ApiDocument.reference(CHALLENGE));
        }
        if (this == TOO_MANY_REQUESTS || this == UNAVAILABLE || this == CONFLICT) {
            response.addHeader(RETRY_AFTER, ApiDocument.reference(RETRY_AFTER));
        }
        return response;
    }

    private static Content content(ProblemType type) {
        return OASFactory.createContent()
                .addMediaType(
                        ProblemDocument.MEDIA_TYPE,
                        OASFactory.createMediaType()
                                .schema(OASFactory.createSchema().ref("#/components/schemas/Problem"))
                                .example(new Problem(type, type.title()).document("/api/v1/…")));
    }

    /** @param open whether the operation needs no token */
    static void add(String path, PathItem.HttpMethod method, Operation operation, boolean open) {
        for (ApiErrors error : of(path, method, operation, open)) {
            String status = Integer.toString(error.type.status());
            APIResponse known = operation.getResponses().getAPIResponse(status);
            if (known == null || known.getContent() == null) {
                operation
                        .getResponses()
                        .addAPIResponse(status, OASFactory.createAPIResponse().ref(error.title()));
            }
        }
        operation
                .getResponses()
                .addAPIResponse("default", OASFactory.createAPIResponse().ref(OTHER))
                .setAPIResponses(new TreeMap<>(operation.getResponses().getAPIResponses()));
    }

    private static Set<ApiErrors> of(String path, PathItem.HttpMethod method, Operation operation, boolean open) {
        Set<ApiErrors> errors =
                EnumSet.of(BAD_REQUEST, NOT_ACCEPTABLE, URI_TOO_LONG, HEADERS_TOO_LARGE, INTERNAL_ERROR, UNAVAILABLE);
        if (!open) {
            errors.add(UNAUTHORIZED);
            errors.add(TOO_MANY_REQUESTS);
        }
        if (StreamRefusal.isForStream(method.name(), path)) {
            // it is answered with 200 and the end, so that EventSource comes again
            errors.remove(UNAVAILABLE);
            errors.remove(TOO_MANY_REQUESTS);
        }
        boolean keyed = ApiDocument.has(operation, Idempotency.KEY);
        if (path.contains("{")) {
            boolean isOfSession = path.contains("/agent-sessions/{") && !path.endsWith("/migrate");
            errors.add(isOfSession ? SESSION_FORBIDDEN : FORBIDDEN);
            errors.add(NOT_FOUND);
        } else if (keyed || path.startsWith(FOR_ADMINS) || path.startsWith(FOR_HOSTS)) {
            // a repeat is judged by what the caller may do then
            errors.add(FORBIDDEN);
        }
        if (operation.getRequestBody() != null) {
            errors.add(PAYLOAD_TOO_LARGE);
            errors.add(UNSUPPORTED_MEDIA_TYPE);
        }
        boolean changesSession = path.contains("/agent-sessions") && method != PathItem.HttpMethod.GET;
        if (changesSession || keyed || path.endsWith("/{userId}")) {
            errors.add(CONFLICT);
        }
        if (ApiDocument.has(operation, "If-Match")) {
            errors.add(STALE_VERSION);
        }
        if (keyed) {
            errors.add(IDEMPOTENCY_MISMATCH);
        }
        return errors;
    }
}
