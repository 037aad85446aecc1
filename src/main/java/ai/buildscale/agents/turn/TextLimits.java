package ai.buildscale.agents.turn;

/** Cuts and cleans an engine's text, so that Postgres and UTF-8 can hold it. */
public final class TextLimits {
    /** The most that is shown in one piece. */
    private static final int PIECE = 16_384;

    private static final int LONGEST_STEP = 65_536;

    private static final int LONGEST_WORDS = 4_000;

    private TextLimits() {}

    /** Without NUL; a lone surrogate at its border may be half of a pair, and stays. */
    static String clean(String text) {
        return text.indexOf('\0') < 0 ? text : text.replace("\0", "");
    }

    /** As a step may have it: clean, and not too long. */
    static String step(String text) {
        return cut(clean(text), LONGEST_STEP);
    }

    /** As a question, a failure or a task may have it: not too long; null stays null. */
    static String words(String text) {
        return text == null ? null : cut(text, LONGEST_WORDS);
    }

    /** JSON that Postgres can hold. */
    static String cleanJson(String json) {
        return clean(json).replace("\\u0000", "");
    }

    /** No longer than that, and no pair torn apart. */
    static String cut(String text, int most) {
        if (text.length() <= most) {
            return text;
        }
        return text.substring(0, Character.isHighSurrogate(text.charAt(most - 1)) ? most - 1 : most);
    }

    /** Where the next piece ends that begins there: not between the halves of a pair. */
    public static int end(CharSequence answer, int from) {
        int end = Math.min(answer.length(), from + PIECE);
        return end > from && Character.isHighSurrogate(answer.charAt(end - 1)) ? end - 1 : end;
    }
}
