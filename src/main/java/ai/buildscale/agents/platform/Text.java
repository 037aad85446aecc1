package ai.buildscale.agents.platform;

/** What counts as text, wherever it comes from: a body, a query, a path. */
public final class Text {
    private Text() {}

    /** Refuses NUL, which Postgres cannot store, and lone surrogates, which UTF-8 cannot say. */
    static void check(String text) {
        for (int i = 0; text != null && i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0) {
                throw new Problem(ProblemType.VALIDATION_ERROR, "must not contain NUL characters");
            }
            if (Character.isSurrogate(c)) {
                boolean pair = Character.isHighSurrogate(c)
                        && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1));
                if (!pair) {
                    throw new Problem(ProblemType.VALIDATION_ERROR, "must not contain lone surrogates");
                }
                i++;
            }
        }
    }

    /** The same for a query parameter, with a bound on its length; null stays null. */
    public static String parameter(String name, String text, int maxLength) {
        try {
            check(text);
        } catch (Problem complaint) {
            throw Problem.invalid(name, complaint.getMessage());
        }
        if (text != null && text.length() > maxLength) {
            throw Problem.invalid(name, "must have at most " + maxLength + " characters");
        }
        return text;
    }
}
