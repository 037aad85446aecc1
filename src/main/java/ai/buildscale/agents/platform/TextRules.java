package ai.buildscale.agents.platform;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Checks text from any source: a body, a query, a path. */
public final class TextRules {
    /** What may stand in a request's address as it is, or begins what is encoded: all that can be seen but these. */
    private static final boolean[] IN_AN_ADDRESS = new boolean[0x7f];

    static {
        for (char c = '!'; c < IN_AN_ADDRESS.length; c++) {
            IN_AN_ADDRESS[c] = "\"<>\\^`{|}".indexOf(c) < 0;
        }
    }

    private TextRules() {}

    /** Refuses NUL, which Postgres cannot store, and lone surrogates, which UTF-8 cannot say. */
    public static void check(String text) {
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

    /** The text as one line of a log: each run of control characters becomes a blank; null stays null. */
    public static String oneLine(String text) {
        return text == null ? null : text.replaceAll("\\p{Cntrl}+", " ");
    }

    /**
     * What of a request's address is not as RFC 3986 has it: a character that must be percent-encoded, or something encoded
     * that is not UTF-8, which Vert.x would replace without a word. The answer is {@code path}, the name of the first such
     * query parameter, or null if all is well.
     */
    public static String unreadablePart(String uri) {
        if (isPlain(uri)) {
            return null;
        }
        int question = uri.indexOf('?');
        String path = question < 0 ? uri : uri.substring(0, question);
        if (!isPercentEncodedUtf8(path) || hasStrayBracket(path)) {
            return "path";
        }
        return Arrays.stream(uri.substring(question + 1).split("&", -1))
                .filter(parameter -> !isPercentEncodedUtf8(parameter))
                .map(parameter -> parameter.split("=", 2)[0])
                .map(name -> isPercentEncodedUtf8(name) ? name : "query")
                .findFirst()
                .orElse(null);
    }

    /** In an address with a host brackets may be those of IPv6. */
    private static boolean hasStrayBracket(String path) {
        return path.startsWith("/") && (path.indexOf('[') >= 0 || path.indexOf(']') >= 0);
    }

    /** Whether nothing of it needs a second look; most addresses do not. */
    private static boolean isPlain(String uri) {
        for (int i = 0; i < uri.length(); i++) {
            char c = uri.charAt(i);
            if (!isAllowed(c) || c == '%' || c == '[' || c == ']') {
                return false;
            }
        }
        return true;
    }

    private static boolean isAllowed(char c) {
        return c < IN_AN_ADDRESS.length && IN_AN_ADDRESS[c];
    }

    private static boolean isPercentEncodedUtf8(String text) {
        ByteBuffer bytes = ByteBuffer.allocate(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!isAllowed(c)) {
                return false;
            } else if (c != '%') {
                bytes.put((byte) c);
            } else if (i + 2 < text.length() && isHex(text.charAt(i + 1)) && isHex(text.charAt(i + 2))) {
                bytes.put((byte) Integer.parseInt(text, i + 1, i + 3, 16));
                i += 2;
            } else {
                return false;
            }
        }
        try {
            StandardCharsets.UTF_8.newDecoder().decode(bytes.flip());
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    private static boolean isHex(char c) {
        return Character.digit(c, 16) >= 0 && c < 0x80;
    }
}
