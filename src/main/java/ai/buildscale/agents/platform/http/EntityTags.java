package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads the conditions of requests (RFC 9110, section 13) on tags of the form {@code "v<version>"}. Tags are sent strong;
 * their weak form, which proxies that compress make of them, counts as the same tag.
 *
 * <p>{@link jakarta.ws.rs.core.Request#evaluatePreconditions} is not used, because it answers differently in Quarkus REST:
 * it compares strongly, so that {@code W/"v2"} is another tag than {@code "v2"}; it splits the header at each comma, also
 * within a tag; it reads {@code v2} and {@code "v2} as {@code "v2"}; and it judges {@code If-Match} of a {@code GET}, too.
 */
public final class EntityTags {
    private static final Pattern VERSION = Pattern.compile("v(\\d{1,18})");

    /** One tag of a list, or none, up to the next comma. */
    private static final Pattern ELEMENT =
            Pattern.compile("[ \\t]*(?:(?:W/)?\"([^\"\\x00-\\x20\\x7f]*)\"[ \\t]*)?(?:,|\\z)");

    private EntityTags() {}

    /** Whether {@code If-None-Match} names the tag; one that cannot be read names none. */
    public static boolean matches(String ifNoneMatch, String tag) {
        if (ifNoneMatch == null) {
            return false;
        }
        List<String> named = named(ifNoneMatch);
        return isAny(ifNoneMatch) || (named != null && named.contains(tag.substring(1, tag.length() - 1)));
    }

    /**
     * The versions that {@code If-Match} expects, one of them; null for none and for {@code *}.
     *
     * @throws Problem {@code STALE_VERSION} for what can never match
     */
    public static List<Long> versions(String ifMatch) {
        if (ifMatch == null || isAny(ifMatch)) {
            return null;
        }
        List<String> named = named(ifMatch);
        if (named == null) {
            throw stale("must be * or a list of entity tags, as \"v3\" or W/\"v3\"");
        }
        List<Long> versions = named.stream()
                .map(VERSION::matcher)
                .filter(Matcher::matches)
                .map(version -> Long.valueOf(version.group(1)))
                .toList();
        if (versions.isEmpty()) {
            throw stale("must name an entity tag of the form \"v<version>\"");
        }
        return versions;
    }

    private static Problem stale(String why) {
        return new Problem(ProblemType.STALE_VERSION, "If-Match " + why).field("If-Match", why);
    }

    private static boolean isAny(String header) {
        return header.strip().equals("*");
    }

    /** What stands between the quotes; null if it is no list of tags. */
    private static List<String> named(String header) {
        List<String> named = new ArrayList<>();
        Matcher element = ELEMENT.matcher(header);
        for (int at = 0; at < header.length(); at = element.end()) {
            if (!element.region(at, header.length()).lookingAt()) {
                return null;
            }
            if (element.group(1) != null) {
                named.add(element.group(1));
            }
        }
        return named;
    }
}
