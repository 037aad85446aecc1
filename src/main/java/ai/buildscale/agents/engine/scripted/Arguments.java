package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.session.Mode;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Parses the arguments of a directive from left to right; an invalid one raises {@link InvalidArgument}. */
final class Arguments {
    /** An invalid argument of a directive; people read the message. */
    static final class InvalidArgument extends RuntimeException {
        InvalidArgument(String message) {
            super(message);
        }
    }

    private static final Pattern AMOUNT = Pattern.compile("(\\d{1,9})(ms|s|m|h)");
    private static final Map<String, ChronoUnit> UNITS =
            Map.of("ms", ChronoUnit.MILLIS, "s", ChronoUnit.SECONDS, "m", ChronoUnit.MINUTES, "h", ChronoUnit.HOURS);
    private static final Duration LONGEST = Duration.ofHours(24);
    private static final int SHOWN = 60;

    private final ObjectMapper json;
    private final String directive;
    private String rest;

    Arguments(String line, ObjectMapper json) {
        this.json = json;
        this.rest = line;
        this.directive = next();
    }

    /** The first word of the line. */
    String directive() {
        return directive;
    }

    String word(String what) {
        return present(what, next());
    }

    /** Takes the rest of the line. */
    String text(String what) {
        return present(what, rest.strip());
    }

    /** Takes the rest of the line, blanks at its ends included. */
    String exactText(String what) {
        return present(what, rest);
    }

    /** Takes the text before a mark and leaves the text after it; takes the rest of the line if there is no mark. */
    String textBefore(char mark, String what) {
        int at = rest.indexOf(mark);
        String text = at < 0 ? rest : rest.substring(0, at);
        rest = at < 0 ? "" : rest.substring(at + 1);
        return present(what, text.strip());
    }

    long count(String what, long least, long most) {
        String word = word(what);
        try {
            long count = Long.parseLong(word);
            if (count >= least && count <= most) {
                return count;
            }
        } catch (NumberFormatException _) {
            // the same message as for a number out of range
        }
        throw wrong(what, "must be a whole number from " + least + " to " + most, word);
    }

    Duration duration() {
        String text = text("duration");
        Duration duration = parse(text);
        if (duration == null || duration.isNegative() || duration.compareTo(LONGEST) > 0) {
            throw wrong("duration", "must be like 50ms, 2s or PT1M, and at most " + LONGEST.toHours() + "h", text);
        }
        return duration;
    }

    /** Takes the rest of the line as a JSON object; {@code otherwise} if nothing is left. */
    ObjectNode object(String what, ObjectNode otherwise) {
        String text = rest.strip();
        if (text.isEmpty()) {
            return otherwise;
        }
        try {
            if (json.readTree(text) instanceof ObjectNode object) {
                return object;
            }
        } catch (JsonProcessingException _) {
            // people see the text, which says more than the parser's message
        }
        throw wrong(what, "must be a JSON object", text);
    }

    Mode mode() {
        String word = word("mode");
        return Arrays.stream(Mode.values())
                .filter(mode -> mode.toString().equals(word))
                .findFirst()
                .orElseThrow(() -> wrong("mode", "must be one of " + Arrays.toString(Mode.values()), word));
    }

    private String next() {
        rest = rest.stripLeading();
        int end = 0;
        while (end < rest.length() && !Character.isWhitespace(rest.charAt(end))) {
            end++;
        }
        String word = rest.substring(0, end);
        rest = rest.substring(Math.min(end + 1, rest.length()));
        return word;
    }

    private static Duration parse(String text) {
        Matcher amount = AMOUNT.matcher(text);
        if (amount.matches()) {
            return Duration.of(Long.parseLong(amount.group(1)), UNITS.get(amount.group(2)));
        }
        try {
            return text.equals("0") ? Duration.ZERO : Duration.parse(text);
        } catch (DateTimeParseException _) {
            return null;
        }
    }

    private String present(String what, String text) {
        if (text.isBlank()) {
            throw new InvalidArgument(directive + ": the " + what + " is missing");
        }
        return text;
    }

    private InvalidArgument wrong(String what, String rule, String found) {
        return new InvalidArgument(
                directive + ": the " + what + " " + rule + ", not " + ScriptBuilder.brief(found, SHOWN));
    }
}
