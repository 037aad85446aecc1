package ai.buildscale.agents.engine;

import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.session.AgentType;
import java.util.Map;
import java.util.UUID;

/**
 * Spans of agents, models and tools, named as OpenTelemetry's <a
 * href="https://github.com/open-telemetry/semantic-conventions-genai">conventions for generative AI</a> want them. What is
 * said is never in them.
 */
public final class GenAi {
    public static final String PROVIDER = "gen_ai.provider.name";
    public static final String INPUT_TOKENS = "gen_ai.usage.input_tokens";
    public static final String OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /** In seconds. */
    public static final String FIRST_CHUNK = "gen_ai.response.time_to_first_chunk";

    /** The type of an error that has no better one. */
    public static final String OTHER = "_OTHER";

    private static final String OPERATION = "gen_ai.operation.name";
    private static final String AGENT = "gen_ai.agent.name";
    private static final String MODEL = "gen_ai.request.model";

    private GenAi() {}

    /**
     * An agent works on a turn, here and until it is closed or left.
     *
     * @param traceparent the trace of the message that it works on, or null
     */
    public static TraceSpan agent(String traceparent, UUID session, AgentType type, String model) {
        return Traces.begin(
                TraceSpan.Kind.INTERNAL,
                "invoke_agent " + type,
                traceparent,
                Map.of(OPERATION, "invoke_agent", AGENT, type, Traces.SESSION, session, MODEL, model));
    }

    /**
     * A model is asked, and asked again if it fails in passing, until its answer is complete.
     *
     * @param model the provider's name for it
     */
    public static TraceSpan chat(Turn turn, String provider, String model) {
        return turn.span()
                .child(
                        TraceSpan.Kind.CLIENT,
                        "chat " + model,
                        Map.of(
                                OPERATION,
                                "chat",
                                PROVIDER,
                                provider,
                                MODEL,
                                model,
                                Traces.SESSION,
                                turn.sessionId(),
                                "gen_ai.request.stream",
                                true));
    }

    /** A tool that there is does what a model wants of it. */
    public static TraceSpan tool(Turn turn, Output.Call call) {
        return turn.span()
                .child(
                        TraceSpan.Kind.INTERNAL,
                        "execute_tool " + call.tool(),
                        Map.of(
                                OPERATION,
                                "execute_tool",
                                "gen_ai.tool.name",
                                call.tool(),
                                "gen_ai.tool.call.id",
                                call.id(),
                                "gen_ai.tool.type",
                                "function"));
    }
}
