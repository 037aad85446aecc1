package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Interprets a message with directives, line by line. */
final class Directives {
    private static final int MOST_CHUNKS = 1_000_000;
    private static final long MOST_TOKENS = 1_000_000_000_000L;
    private static final int SHOWN = 60;

    private final Turn turn;
    private final ScriptBuilder script;
    private final ObjectMapper json;

    Directives(Turn turn, ScriptBuilder script, ObjectMapper json) {
        this.turn = turn;
        this.script = script;
        this.json = json;
    }

    static boolean areIn(String message) {
        return message.lines().anyMatch(Directives::isOne);
    }

    Iterator<Supplier<List<ScriptStep>>> parts(String message) {
        return message.lines()
                .<Supplier<List<ScriptStep>>>map(line -> () -> isOne(line) ? run(line) : script.words(line))
                .iterator();
    }

    private static boolean isOne(String line) {
        return line.startsWith("/");
    }

    private List<ScriptStep> run(String line) {
        Arguments arguments = new Arguments(line, json);
        try {
            return Directive.find(arguments.directive())
                    .map(directive -> run(directive, arguments))
                    .orElseGet(() -> script.line(unknown(arguments.directive())));
        } catch (Arguments.InvalidArgument wrong) {
            return script.line(wrong.getMessage());
        }
    }

    private List<ScriptStep> run(Directive directive, Arguments arguments) {
        return switch (directive) {
            case SAY -> script.line(arguments.text("text"));
            case DELAY -> {
                script.setPace(arguments.duration());
                yield List.of();
            }
            case WAIT -> List.of(new ScriptStep.Silence(arguments.duration()));
            case THINK -> List.of(ScriptStep.of(new Output.Thought(arguments.text("text"))));
            case CALL -> call(arguments, true);
            case CALL_FAILS -> call(arguments, false);
            case ASK -> ask(arguments);
            case MODE -> List.of(ScriptStep.of(new Output.ModeChange(arguments.mode())));
            case TASK -> List.of(ScriptStep.of(new Output.CurrentTask(arguments.text("text"))));
            case USAGE -> List.of(ScriptStep.of(usage(arguments)));
            case REPEAT -> script.repeat(chunks(arguments), arguments.exactText("text"));
            case FLOOD -> script.flood(chunks(arguments));
            case FAIL -> List.of(new ScriptStep.Fails(new EngineFailure(arguments.text("message"), false, null)));
            case FAIL_ONCE -> failOnce(arguments.text("message"));
            case BREAK ->
                List.of(new ScriptStep.Fails(new IllegalStateException("Told to break in turn " + turn.id())));
        };
    }

    private List<ScriptStep> call(Arguments arguments, boolean success) {
        String tool = arguments.word("tool");
        return script.call(tool, arguments.object("arguments", JsonNodeFactory.instance.objectNode()), success);
    }

    private List<ScriptStep> ask(Arguments arguments) {
        String question = arguments.textBefore('|', "question");
        ObjectNode any = JsonNodeFactory.instance.objectNode().put("type", "string");
        String schema = arguments.object("schema", any).toString();
        ScriptStep asked = ScriptStep.of(new Output.Question(question, schema));
        return script.answer()
                .map(answer ->
                        List.of(asked, script.line("The answer is: " + answer).getFirst()))
                .orElse(List.of(asked));
    }

    private List<ScriptStep> failOnce(String message) {
        return turn.attempt() == 1 ? List.of(new ScriptStep.Fails(new EngineFailure(message, true, null))) : List.of();
    }

    private static Output.TokenUsage usage(Arguments arguments) {
        long input = arguments.count("input", 0, MOST_TOKENS);
        return new Output.TokenUsage(input, arguments.count("output", 0, MOST_TOKENS));
    }

    private static int chunks(Arguments arguments) {
        return (int) arguments.count("count", 1, MOST_CHUNKS);
    }

    private static String unknown(String directive) {
        String known =
                Arrays.stream(Directive.values()).map(Directive::toString).collect(Collectors.joining(", "));
        return "I do not know " + ScriptBuilder.brief(directive, SHOWN) + ". I know: " + known + ".";
    }
}
