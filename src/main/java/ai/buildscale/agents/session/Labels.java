package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.platform.problem.Problem;
import io.vertx.core.json.JsonObject;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** Labels: up to 32 pairs of short strings by which callers find sessions again. */
final class Labels {
    static final int MAX_LABELS = 32;
    static final int MAX_VALUE_LENGTH = 255;
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?");

    private Labels() {}

    /**
     * As JSON, or null for null.
     *
     * @throws Problem {@code VALIDATION_ERROR} on the field
     */
    static String json(String field, Map<String, String> labels) {
        if (labels == null) {
            return null;
        }
        if (labels.size() > MAX_LABELS) {
            throw Problem.invalid(field, "must have at most " + MAX_LABELS + " entries");
        }
        labels.forEach((key, value) -> check(field + "." + key, key, value));
        return new JsonObject(new LinkedHashMap<>(labels)).encode();
    }

    /**
     * The filter {@code label=k:v} as JSON, or null for null.
     *
     * @throws Problem {@code VALIDATION_ERROR} on {@code label}
     */
    static String filter(Iterable<String> pairs) {
        JsonObject wanted = new JsonObject();
        for (String pair : pairs) {
            TextRules.parameter("label", pair, MAX_VALUE_LENGTH + 64);
            int colon = pair.indexOf(':');
            if (colon < 1) {
                throw Problem.invalid("label", "must look like key:value");
            }
            String key = pair.substring(0, colon);
            String value = pair.substring(colon + 1);
            check("label", key, value);
            if (!value.equals(wanted.getString(key, value))) {
                throw Problem.invalid("label", "must not want two values of one key");
            }
            wanted.put(key, value);
        }
        return wanted.isEmpty() ? null : wanted.encode();
    }

    private static void check(String field, String key, String value) {
        if (!KEY.matcher(key).matches()) {
            throw Problem.invalid(
                    field, "must have a key of 1 to 63 letters, digits, dots, dashes, slashes, underscores");
        }
        if (value == null || value.length() > MAX_VALUE_LENGTH) {
            throw Problem.invalid(field, "must have a value of at most " + MAX_VALUE_LENGTH + " characters");
        }
    }
}
