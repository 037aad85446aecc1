package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Builds the steps of a script in playing order; keeps the pace, the line breaks and the counts. */
final class ScriptBuilder {
    private static final Pattern WORD = Pattern.compile("\\S++\\s*+");
    private static final String KILOBYTE =
            "The quick brown fox sat by the river and did not jump at all.. \n".repeat(16);

    private final Turn turn;
    private final Iterator<String> answers;
    private Duration pace;
    private boolean inLine;
    private long characters;
    private int calls;

    ScriptBuilder(Turn turn, Duration pace) {
        this.turn = turn;
        this.pace = pace;
        this.answers = turn.done().stream()
                .filter(entry -> entry.kind() == EntryKind.ANSWER)
                .map(HistoryEntry::text)
                .iterator();
    }

    /** The pause between chunks from here on. */
    void setPace(Duration pace) {
        this.pace = pace;
    }

    /** A text in one chunk, on a line of its own. */
    List<ScriptStep> line(String text) {
        return List.of(chunk(lineBreak() + text, pace));
    }

    /** A text word by word, on a line of its own; no steps for a blank text. */
    List<ScriptStep> words(String text) {
        String words = text.strip();
        String lineBreak = words.isEmpty() ? "" : lineBreak();
        return WORD.matcher(words)
                .results()
                .map(word -> chunk((word.start() == 0 ? lineBreak : "") + word.group(), pace))
                .toList();
    }

    List<ScriptStep> repeat(int times, String text) {
        return Collections.nCopies(times, chunk(text, pace));
    }

    List<ScriptStep> flood(int times) {
        return Collections.nCopies(times, chunk(KILOBYTE, Duration.ZERO));
    }

    /** A call and its observation. */
    List<ScriptStep> call(String tool, ObjectNode args, boolean success) {
        String id = turn.callId(calls++);
        ObjectNode output = JsonNodeFactory.instance.objectNode();
        output.put("tool", tool).set("args", args);
        output.put("call_id", id);
        if (!success) {
            output.put("error", "It did not go well, as it was told");
        }
        return List.of(
                ScriptStep.of(new Output.Call(id, tool, args.toString())),
                ScriptStep.of(new Output.Observation(id, output.toString(), success)));
    }

    /** The answer to the next question, as JSON; empty if it is not answered yet. */
    Optional<String> answer() {
        return answers.hasNext() ? Optional.of(answers.next()) : Optional.empty();
    }

    /** The tokens of the input and of the answer (repeats count once), estimated as four characters each. */
    ScriptStep usage(long charactersRead) {
        return ScriptStep.of(new Output.TokenUsage(tokens(charactersRead), tokens(characters)));
    }

    /** Abbreviates a text to one line of at most so many characters. */
    static String brief(String text, int most) {
        String line = text.strip().replaceAll("\\s+", " ");
        if (line.length() <= most) {
            return line;
        }
        int end = Character.isHighSurrogate(line.charAt(most - 2)) ? most - 2 : most - 1;
        return line.substring(0, end) + "…";
    }

    private ScriptStep chunk(String text, Duration pause) {
        characters += text.length();
        inLine = !text.endsWith("\n");
        return new ScriptStep.Emits(new Output.Chunk(text), pause);
    }

    private String lineBreak() {
        return inLine ? "\n" : "";
    }

    private static long tokens(long characters) {
        return Math.ceilDiv(characters, 4L);
    }
}
