package ai.buildscale.agents.platform.problem;

import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** Every kind of failure a client can meet: the one table of codes, HTTP statuses and titles. */
@Schema(name = "ProblemCode")
public enum ProblemType {
    VALIDATION_ERROR(400, "The request is not valid"),
    INVALID_TOKEN(401, "The bearer token is missing or not valid"),
    FORBIDDEN(403, "The caller may not do this"),
    NOT_FOUND(404, "There is no such thing"),
    METHOD_NOT_ALLOWED(405, "The method is not allowed here"),
    NOT_ACCEPTABLE(406, "The answer cannot be given in the accepted media types"),
    CONFLICT(409, "The current state does not allow this"),
    FENCED(409, "Another owner holds the session"),
    STALE_VERSION(412, "The resource has changed since it was read"),
    PAYLOAD_TOO_LARGE(413, "The request body is too large"),
    URI_TOO_LONG(414, "The request's address is too long"),
    UNSUPPORTED_MEDIA_TYPE(415, "The request's media type is not supported"),
    EXPECTATION_FAILED(417, "What the request expects of the service cannot be met"),
    IDEMPOTENCY_MISMATCH(422, "The idempotency key was used with another request"),
    HEADERS_TOO_LARGE(431, "The request's headers are too large"),
    QUOTA_EXCEEDED(429, "The workspace's quota is used up"),
    RATE_LIMITED(429, "Too many requests"),
    MAILBOX_FULL(429, "The agent's mailbox is full"),
    INTERNAL_ERROR(500, "Something went wrong on our side"),
    UNAVAILABLE(503, "The service cannot answer right now"),
    HTTP_VERSION_NOT_SUPPORTED(505, "The request's version of HTTP is not supported");

    private final int status;
    private final String title;

    ProblemType(int status, String title) {
        this.status = status;
        this.title = title;
    }

    public int status() {
        return status;
    }

    public String title() {
        return title;
    }

    /** A URI reference, as RFC 9457 wants for {@code type}. */
    public String uri() {
        return "/problems/" + name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
}
