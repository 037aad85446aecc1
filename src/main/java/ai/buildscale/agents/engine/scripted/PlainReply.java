package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.session.Mode;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Replies to a message without directives, in the manner of the agent's type. */
final class PlainReply {
    private static final int QUOTED = 200;
    private static final int SHORT = 80;
    private static final List<String> USUAL_STEPS =
            List.of("Look at what is there", "Make the change", "Check that it works");
    private static final String GO_ON = """
            {"type":"object","properties":{"go_on":{"type":"boolean"},"comment":{"type":"string"}},"required":["go_on"]}""";

    private final Turn turn;
    private final Prompt prompt;
    private final ScriptBuilder script;
    private final ObjectMapper json;

    PlainReply(Turn turn, Prompt prompt, ScriptBuilder script, ObjectMapper json) {
        this.turn = turn;
        this.prompt = prompt;
        this.script = script;
        this.json = json;
    }

    Iterator<Supplier<List<ScriptStep>>> parts() {
        Stream<Supplier<List<ScriptStep>>> reply = switch (turn.agentType()) {
            case ASSISTANT -> Stream.of(this::chat);
            case PLANNER -> Stream.of(this::think, this::plan, this::ask, this::decide);
            case BUILDER -> build();
        };
        return Stream.concat(reply, Stream.of(this::usage)).iterator();
    }

    private List<ScriptStep> usage() {
        return List.of(script.usage(prompt.characters()));
    }

    private List<ScriptStep> chat() {
        long before = prompt.messagesBefore();
        String memory = before == 0
                ? "This is the first message of our chat."
                : "Our chat has had " + before + (before == 1 ? " message" : " messages") + " before it.";
        return script.words("Hello! You said: “" + ScriptBuilder.brief(prompt.message(), QUOTED) + "”. " + memory);
    }

    private String goal() {
        boolean without = turn.goal() == null || turn.goal().isBlank();
        return ScriptBuilder.brief(without ? prompt.message() : turn.goal(), QUOTED);
    }

    private List<ScriptStep> think() {
        return List.of(ScriptStep.of(new Output.Thought("What leads to “" + goal() + "”?")));
    }

    private List<ScriptStep> plan() {
        List<String> steps = NumberedPlan.towards(goal());
        return script.words("This is my plan:\n" + NumberedPlan.numbered(steps));
    }

    private List<ScriptStep> ask() {
        return List.of(ScriptStep.of(new Output.Question("Shall I go on with this plan?", GO_ON)));
    }

    private List<ScriptStep> decide() {
        JsonNode answer = read(script.answer().orElse("{}"));
        String comment = ScriptBuilder.brief(answer.path("comment").asText(), QUOTED);
        String heard = comment.isEmpty() ? "" : " You said: “" + comment + "”.";
        if (!answer.path("go_on").asBoolean()) {
            return script.words("I stay with planning." + heard);
        }
        List<ScriptStep> steps = new ArrayList<>();
        steps.add(ScriptStep.of(new Output.ModeChange(Mode.BUILD)));
        steps.addAll(script.words("The plan is handed over to be built, step by step." + heard));
        return steps;
    }

    private JsonNode read(String text) {
        try {
            return json.readTree(text);
        } catch (JsonProcessingException _) {
            return MissingNode.getInstance();
        }
    }

    private Stream<Supplier<List<ScriptStep>>> build() {
        List<String> steps = Stream.of(NumberedPlan.in(prompt.message()), prompt.newestPlan(), USUAL_STEPS)
                .filter(some -> !some.isEmpty())
                .findFirst()
                .orElseThrow();
        Stream<Supplier<List<ScriptStep>>> work = IntStream.rangeClosed(1, steps.size())
                .mapToObj(n -> () -> step(n, steps.size(), ScriptBuilder.brief(steps.get(n - 1), QUOTED)));
        return Stream.concat(work, Stream.of(() -> script.words("That was the last step, of " + steps.size() + ".")));
    }

    private List<ScriptStep> step(int n, int of, String description) {
        ObjectNode args = JsonNodeFactory.instance.objectNode().put("step", n).put("description", description);
        List<ScriptStep> steps = new ArrayList<>();
        steps.add(ScriptStep.of(
                new Output.CurrentTask(ScriptBuilder.brief("Step " + n + " of " + of + ": " + description, SHORT))));
        steps.addAll(script.call("run_step", args, true));
        steps.addAll(script.words("Step " + n + " is done: " + description));
        return steps;
    }
}
