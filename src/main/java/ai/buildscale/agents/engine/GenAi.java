package ai.buildscale.agents.engine;

import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.platform.telemetry.Traces;
import ai.buildscale.agents.session.AgentType;
import java.util.Map;
import java.util.UUID;

/**
 * Begins the spans of agents, models and tools, named by OpenTelemetry's <a
 * href="https://github.com/open-telemetry/semantic-conventions-genai">conventions for generative AI</a>. No span holds the
 * text of a message.
 */
public final class GenAi {
    public static final String PROVIDER = "gen_ai.provider.name";
    public static final String INPUT_TOKENS = "gen_ai.usage.input_tokens";
    public static final String OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /** In seconds. */
    public static final String FIRST_CHUNK = "gen_ai.response.time_to_first_chunk";

    /** The error type where no more specific type is known. */
    public static final String OTHER = "_OTHER";

    private static final String OPERATION = "gen_ai.operation.name";
    private static final String AGENT = "gen_ai.agent.name";
    private static final String MODEL = "gen_ai.request.model";

    private GenAi() {}

    /**
     * Begins the span of an agent's turn on this server; it ends when the turn is closed or leaves this server.
     *
     * @param traceparent the trace of the message that began the turn, or null
     */
    public static TraceSpan agent(String traceparent, UUID session, AgentType type, String model) {
        return Traces.begin(
                TraceSpan.TraceKind.INTERNAL,
                "invoke_agent " + type,
                traceparent,
                Map.of(OPERATION, "invoke_agent", AGENT, type, Traces.SESSION, session, MODEL, model));
    }

    /**
     * Begins the span of one completion, its retries included.
     *
     * @param model the provider's name of the model
     */
    public static TraceSpan chat(Turn turn, String provider, String model) {
        return turn.span()
                .child(
                        TraceSpan.TraceKind.CLIENT,
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

    /** Begins the span of a tool call. */
    public static TraceSpan tool(Turn turn, Output.Call call) {
        return turn.span()
                .child(
                        TraceSpan.TraceKind.INTERNAL,
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
