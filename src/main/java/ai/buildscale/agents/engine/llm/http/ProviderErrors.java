package ai.buildscale.agents.engine.llm.http;

import ai.buildscale.agents.engine.llm.http.ModelFailure.FailureKind;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeFormatter;

/** Maps a provider's error response to a {@link ModelFailure}. */
final class ProviderErrors {
    private static final int LONGEST_REASON = 300;

    private ProviderErrors() {}

    static ModelFailure of(HttpClientResponse answer, Buffer body) {
        int status = answer.statusCode();
        FailureKind kind = kind(status);
        // operators need the reason of a refused request; a text about a key may quote the key
        String detail =
                kind == FailureKind.REFUSED ? "status " + status + ": " + reason(answer, body) : "status " + status;
        Duration retryAfter = retryAfter(answer.getHeader(HttpHeaders.RETRY_AFTER), answer.getHeader(HttpHeaders.DATE));
        return new ModelFailure(kind, detail, retryAfter, null);
    }

    private static FailureKind kind(int status) {
        return switch (status) {
            case 401, 403 -> FailureKind.DENIED;
            case 429 -> FailureKind.BUSY;
            case 408 -> FailureKind.UNAVAILABLE;
            default -> status >= 500 ? FailureKind.UNAVAILABLE : FailureKind.REFUSED;
        };
    }

    private static String reason(HttpClientResponse answer, Buffer body) {
        String text = body.toString().replaceAll("\\s+|\\p{Cntrl}", " ");
        String authorization = answer.request().headers().get(HttpHeaders.AUTHORIZATION);
        String key = authorization == null ? "" : authorization.substring(authorization.indexOf(' ') + 1);
        String reason = key.isEmpty() ? text : text.replace(key, "…");
        return reason.length() <= LONGEST_REASON ? reason : reason.substring(0, LONGEST_REASON);
    }

    /**
     * Reads the delay in seconds or as a date (RFC 9110, section 10.2.3) of the provider's clock; null where the header is
     * invalid.
     */
    static Duration retryAfter(String header, String date) {
        if (header == null) {
            return null;
        }
        try {
            return header.isBlank() || !Character.isDigit(header.charAt(0))
                    ? notNegative(Duration.between(instant(date), instant(header)))
                    : Duration.ofSeconds(Long.parseLong(header));
        } catch (NumberFormatException | DateTimeException | ArithmeticException e) {
            return null;
        }
    }

    private static Duration notNegative(Duration duration) {
        return duration.isNegative() ? Duration.ZERO : duration;
    }

    private static Instant instant(String date) {
        return Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(date == null ? "" : date));
    }
}
