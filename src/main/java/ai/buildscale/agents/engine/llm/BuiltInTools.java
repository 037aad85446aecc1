package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.session.Mode;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The built-in tools by which a model steers its own agent. */
enum BuiltInTools {
    ASK_USER("Asks the person something that you cannot go on without, and waits for the answer.", """
            {"type": "object", "required": ["question"], "properties": {
              "question": {"type": "string"},
              "schema": {"type": "object", "description": "The JSON schema of the answer; any text if not given"}}}""") {
        @Override
        List<Output> perform(String callId, JsonObject args) {
            return List.of(new Output.Question(text(args, "question"), schema(args.getValue("schema"))));
        }
    },
    SET_TASK("Tells people what you are doing now.", """
            {"type": "object", "required": ["task"], "properties": {
              "task": {"type": "string", "description": "A few words"}}}""") {
        @Override
        List<Output> perform(String callId, JsonObject args) {
            return List.of(new Output.CurrentTask(text(args, "task")), new Output.Observation(callId, "Done", true));
        }
    },
    SWITCH_MODE("Changes the mode that you work in, once the person has agreed.", """
            {"type": "object", "required": ["mode"], "properties": {
              "mode": {"type": "string", "enum": ["chat", "plan", "build"]}}}""") {
        @Override
        List<Output> perform(String callId, JsonObject args) {
            Mode mode = mode(text(args, "mode"));
            return List.of(
                    new Output.ModeChange(mode), new Output.Observation(callId, "You work in " + mode + " mode", true));
        }
    };

    private static final String ANY_TEXT = "{\"type\":\"string\"}";
    private static final Set<String> TYPES = Set.of("string", "boolean", "integer", "number", "object", "array");

    private final String description;
    private final String parameters;

    BuiltInTools(String description, String parameters) {
        this.description = description;
        this.parameters = parameters;
    }

    /**
     * Runs a call of this tool.
     *
     * @throws IllegalArgumentException if the arguments are invalid; the model reads the message
     */
    abstract List<Output> perform(String callId, JsonObject args);

    static Optional<BuiltInTools> find(String tool) {
        return Arrays.stream(values())
                .filter(builtIn -> builtIn.toString().equals(tool))
                .findAny();
    }

    String description() {
        return description;
    }

    JsonObject parameters() {
        return new JsonObject(parameters);
    }

    private static String text(JsonObject args, String name) {
        if (args.getValue(name) instanceof String text && !text.isBlank()) {
            return text.strip();
        }
        throw new IllegalArgumentException("The argument \"" + name + "\" is missing");
    }

    private static Mode mode(String name) {
        return Arrays.stream(Mode.values())
                .filter(mode -> mode.toString().equalsIgnoreCase(name))
                .findAny()
                .orElseThrow(() -> new IllegalArgumentException("There is no mode " + name));
    }

    /** Any text is accepted where the model gives no schema: an invalid one would leave the question open forever. */
    private static String schema(Object given) {
        try {
            JsonObject schema = given instanceof String text ? new JsonObject(text) : (JsonObject) given;
            boolean usable = schema != null && schema.getValue("type") instanceof String type && TYPES.contains(type);
            return usable ? schema.encode() : ANY_TEXT;
        } catch (DecodeException | ClassCastException e) {
            return ANY_TEXT;
        }
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
