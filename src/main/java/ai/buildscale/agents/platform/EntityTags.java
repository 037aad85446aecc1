package ai.buildscale.agents.platform;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Conditional requests (RFC 9110, section 13) on strong tags of the form {@code "v<version>"}. */
public final class EntityTags {
    private static final Pattern TAG = Pattern.compile("\"v(\\d{1,18})\"");

    private EntityTags() {}

    /** Whether {@code If-None-Match} names the tag. */
    public static boolean matches(String ifNoneMatch, String tag) {
        return ifNoneMatch != null
                && Arrays.stream(ifNoneMatch.split(","))
                        .map(String::strip)
                        .map(given -> given.startsWith("W/") ? given.substring(2) : given)
                        .anyMatch(given -> given.equals("*") || given.equals(tag));
    }

    /**
     * The version that {@code If-Match} expects; null for none and for {@code *}.
     *
     * @throws Problem {@code STALE_VERSION} for a tag that can never match
     */
    public static Long version(String ifMatch) {
        if (ifMatch == null || ifMatch.strip().equals("*")) {
            return null;
        }
        Matcher tag = TAG.matcher(ifMatch.strip());
        if (!tag.matches()) {
            throw new Problem(ProblemType.STALE_VERSION, "If-Match must be one entity tag of the form \"v<version>\"")
                    .field("If-Match", "must be one entity tag of the form \"v<version>\"");
        }
        return Long.parseLong(tag.group(1));
    }
}
