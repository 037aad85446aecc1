package ai.buildscale.agents.platform;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

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

    /**
     * What of a request's address is not percent-encoded UTF-8, which Vert.x would replace without a word: {@code path},
     * the name of the first such query parameter, or null if all is well.
     */
    static String unreadablePart(String uri) {
        if (uri.indexOf('%') < 0) {
            return null;
        }
        int question = uri.indexOf('?');
        if (!isPercentEncodedUtf8(question < 0 ? uri : uri.substring(0, question))) {
            return "path";
        }
        return Arrays.stream(uri.substring(question + 1).split("&", -1))
                .filter(parameter -> !isPercentEncodedUtf8(parameter))
                .map(parameter -> parameter.split("=", 2)[0])
                .map(name -> isPercentEncodedUtf8(name) ? name : "query")
                .findFirst()
                .orElse(null);
    }

    private static boolean isPercentEncodedUtf8(String text) {
        ByteBuffer bytes = ByteBuffer.allocate(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != '%') {
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
