package ai.buildscale.agents.platform.postgres;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Composes statements from texts with named places, {@code {name}}: the one way in which a statement is put together.
 * Whole statements stand as golden files beside the tests.
 */
public final class SqlText {
    private static final Pattern PLACE = Pattern.compile("\\{([a-z]+(?:_[a-z]+)*)}");

    private SqlText() {}

    /**
     * Fills places of a text. What is filled in may hold places too, for a later call; they are not filled by this one.
     *
     * @param namesAndParts the name of a place and the text for it, over and over
     * @throws IllegalArgumentException if a name is given twice, or the text has no such place
     */
    public static String fill(String text, String... namesAndParts) {
        Map<String, String> parts = new HashMap<>();
        for (int i = 0; i < namesAndParts.length; i += 2) {
            if (parts.put(namesAndParts[i], namesAndParts[i + 1]) != null) {
                throw new IllegalArgumentException("{" + namesAndParts[i] + "} is given twice");
            }
        }
        Set<String> unused = new HashSet<>(parts.keySet());
        String filled = PLACE.matcher(text).replaceAll(place -> {
            String part = parts.get(place.group(1));
            unused.remove(place.group(1));
            return Matcher.quoteReplacement(part == null ? place.group() : part);
        });
        if (!unused.isEmpty()) {
            throw new IllegalArgumentException("no place for " + unused + " in: " + text);
        }
        return filled;
    }
}
