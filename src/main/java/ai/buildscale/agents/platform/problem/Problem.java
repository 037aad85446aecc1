package ai.buildscale.agents.platform.problem;

import ai.buildscale.agents.platform.http.ProblemMapper;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/** A failure with its facts, thrown by services and written as RFC 9457 by {@link ProblemMapper}. */
public final class Problem extends RuntimeException {
    /** What an {@code error_description} may not hold. */
    private static final Pattern UNDESCRIBED = Pattern.compile("[^ !#-\\[\\]-~]");

    private final ProblemType type;
    private final Map<String, String> fields = new LinkedHashMap<>();
    private final Map<String, Object> members = new LinkedHashMap<>();
    private int retryAfterSeconds = -1;
    private String reason;
    private boolean tokenMissing;

    public Problem(ProblemType type, String detail) {
        super(detail, null, false, false);
        this.type = type;
    }

    /** A {@code VALIDATION_ERROR} on one field. */
    public static Problem invalid(String field, String message) {
        return new Problem(ProblemType.VALIDATION_ERROR, field + " " + message).field(field, message);
    }

    public static Problem notFound(String what) {
        return new Problem(ProblemType.NOT_FOUND, what + " does not exist");
    }

    /** Nobody says who is calling. */
    public static Problem unauthenticated() {
        return unauthenticated("");
    }

    /** @param otherwise how else it may be said, for the end of the sentence */
    public static Problem unauthenticated(String otherwise) {
        Problem problem = new Problem(
                ProblemType.INVALID_TOKEN, "Send a token: Authorization: Bearer <JWT> of the issuer" + otherwise);
        problem.tokenMissing = true;
        return problem;
    }

    /** A token that is not taken, and why. */
    public static Problem refused(String why) {
        return new Problem(ProblemType.INVALID_TOKEN, why);
    }

    public static Problem forbidden(String why) {
        return new Problem(ProblemType.FORBIDDEN, why);
    }

    public static Problem unavailable() {
        return new Problem(ProblemType.UNAVAILABLE, "The database cannot be reached right now").retryAfter(1);
    }

    public Problem field(String name, String message) {
        fields.put(name, message);
        return this;
    }

    /** Adds a member of the problem document, as {@code current_status}. */
    public Problem with(String member, Object value) {
        members.put(member, value);
        return this;
    }

    public Problem retryAfter(int seconds) {
        retryAfterSeconds = seconds;
        return this;
    }

    /** Names the cause in metrics: one of {@link StreamRefusal#REASONS}. */
    public Problem because(String cause) {
        reason = cause;
        return this;
    }

    /** The cause in metrics; the type's unless it was named. */
    String reason() {
        return reason == null ? type.name().toLowerCase(Locale.ROOT) : reason;
    }

    /** Whether the same request may be served a little later, here or elsewhere. */
    public boolean passes() {
        return type == ProblemType.UNAVAILABLE || type == ProblemType.RATE_LIMITED;
    }

    public ProblemType type() {
        return type;
    }

    public OptionalInt retryAfterSeconds() {
        return retryAfterSeconds < 0 ? OptionalInt.empty() : OptionalInt.of(retryAfterSeconds);
    }

    /**
     * The {@code WWW-Authenticate} of an answer with this (RFC 6750, section 3): empty for all but
     * {@code INVALID_TOKEN}, and without an error where no token was sent.
     */
    public Optional<String> challenge() {
        if (type != ProblemType.INVALID_TOKEN) {
            return Optional.empty();
        }
        return Optional.of(
                tokenMissing
                        ? "Bearer"
                        : "Bearer error=\"invalid_token\", error_description=\""
                                + UNDESCRIBED.matcher(getMessage()).replaceAll("?") + "\"");
    }

    /** The problem document: RFC 9457's members, those of older clients ({@code error}, {@code code}), and the facts. */
    public Map<String, Object> document(String instance) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("type", type.uri());
        document.put("title", type.title());
        document.put("status", type.status());
        document.put("detail", getMessage());
        document.put("instance", instance);
        document.put("error", getMessage());
        document.put("code", type.name());
        if (!fields.isEmpty()) {
            document.put("fields", fields);
        }
        document.putAll(members);
        return document;
    }
}
