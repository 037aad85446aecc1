package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.GenAi;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.llm.http.ModelFailure;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import io.smallrye.mutiny.TimeoutException;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jboss.logging.Logger;

/** Runs tool calls; every call yields an observation or a question. */
final class Toolbox {
    private static final Logger LOG = Logger.getLogger(Toolbox.class);
    /** Characters; a longer result is truncated. */
    private static final int LONGEST_OBSERVATION = 32_000;

    private final Map<String, Tool> tools;
    private final Duration timeout;

    Toolbox(List<Tool> tools, Duration timeout) {
        this.tools = tools.stream().collect(Collectors.toMap(Tool::name, Function.identity()));
        this.timeout = timeout;
    }

    /** The specifications of the tools that an agent may call. */
    List<ToolSpecification> specifications(SystemPrompt systemPrompt) {
        Stream<ToolSpecification> builtIn = Arrays.stream(BuiltInTools.values())
                .filter(tool -> systemPrompt.mayCall(tool.toString()))
                .map(tool -> specification(tool.toString(), tool.description(), tool.parameters()));
        Stream<ToolSpecification> others = tools.values().stream()
                .filter(tool -> systemPrompt.mayCall(tool.name()))
                .map(tool -> specification(tool.name(), tool.description(), tool.parameters()));
        return Stream.concat(builtIn, others).toList();
    }

    private static ToolSpecification specification(String name, String description, JsonObject parameters) {
        JsonObjectSchema.Builder schema = JsonObjectSchema.builder();
        JsonObject properties = parameters.getJsonObject("properties", new JsonObject());
        properties
                .fieldNames()
                .forEach(property -> schema.addProperty(
                        property,
                        JsonRawSchema.from(properties.getJsonObject(property).encode())));
        schema.required(parameters.getJsonArray("required", new JsonArray()).stream()
                .map(Object::toString)
                .toList());
        return ToolSpecification.builder()
                .name(name)
                .description(description)
                .parameters(schema.build())
                .build();
    }

    /** Emits the outputs of a call; the last is an observation or a question. */
    Uni<List<Output>> perform(Output.Call call, Turn turn) {
        if (!SystemPrompt.of(turn.agentType()).mayCall(call.tool())) {
            return failed(call, "There is no tool " + call.tool());
        }
        TraceSpan span = GenAi.tool(turn, call);
        return Uni.createFrom()
                .deferred(() -> perform(call, args(call), turn))
                .onFailure(IllegalArgumentException.class)
                .recoverWithUni(e -> failed(call, e.getMessage()))
                .invoke(outputs -> ended(span, outputs))
                .onCancellation()
                .invoke(() -> span.fail(ModelFailure.FailureKind.CANCELLED.toString()));
    }

    private static void ended(TraceSpan span, List<Output> outputs) {
        if (outputs.stream().anyMatch(output -> output instanceof Output.Observation seen && !seen.success())) {
            span.fail(GenAi.OTHER);
        } else {
            span.end();
        }
    }

    private Uni<List<Output>> perform(Output.Call call, JsonObject args, Turn turn) {
        Optional<BuiltInTools> builtIn = BuiltInTools.find(call.tool());
        if (builtIn.isPresent()) {
            return Uni.createFrom().item(builtIn.get().perform(call.id(), args));
        }
        Tool tool = tools.get(call.tool());
        if (tool == null) {
            return failed(call, "There is no tool " + call.tool());
        }
        return Uni.createFrom()
                .deferred(() -> tool.run(new Tool.Invocation(args, call.id(), turn)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(output -> List.<Output>of(new Output.Observation(call.id(), shortened(output), true)))
                .onFailure(TimeoutException.class)
                .recoverWithUni(() -> failed(call, "It took too long"))
                .onFailure(e -> !(e instanceof IllegalArgumentException))
                .recoverWithUni(e -> broken(call, turn, e));
    }

    private static JsonObject args(Output.Call call) {
        try {
            return new JsonObject(call.args());
        } catch (DecodeException | ClassCastException e) {
            throw new IllegalArgumentException("The arguments are not a JSON object", e);
        }
    }

    private static Uni<List<Output>> broken(Output.Call call, Turn turn, Throwable reason) {
        LOG.warnf(reason, "session %s: the tool %s failed", turn.sessionId(), call.tool());
        return failed(call, "It failed");
    }

    private static Uni<List<Output>> failed(Output.Call call, String why) {
        return Uni.createFrom().item(List.of(new Output.Observation(call.id(), why, false)));
    }

    private static String shortened(String output) {
        String text = output == null ? "" : output;
        return text.length() <= LONGEST_OBSERVATION ? text : text.substring(0, LONGEST_OBSERVATION) + " …";
    }
}
