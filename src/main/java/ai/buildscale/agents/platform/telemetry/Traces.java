package ai.buildscale.agents.platform.telemetry;

import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import java.util.List;
import java.util.Map;

/**
 * Begins the spans of this server's work. A trace goes along with what it causes on other servers: a request leaves
 * its {@link #current} with the command or the message that it writes, and whoever carries that out begins a span
 * under it. Does nothing unless {@link TracesSwitch} is on.
 */
public final class Traces {
    /** The session that a span is about. */
    public static final String SESSION = "gen_ai.conversation.id";

    private static final String NAME = "ai.buildscale.agents";
    private static final String TRACEPARENT = "traceparent";

    private static final TextMapGetter<String> ITSELF = new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(String traceparent) {
            return List.of(TRACEPARENT);
        }

        @Override
        public String get(String traceparent, String key) {
            return TRACEPARENT.equals(key) ? traceparent : null;
        }
    };

    private Traces() {}

    /** The request that is being served, as a W3C {@code traceparent}; null if it is not traced. */
    public static String current() {
        SpanContext context = io.opentelemetry.api.trace.Span.current().getSpanContext();
        return context.isValid()
                ? "00-" + context.getTraceId() + "-" + context.getSpanId() + "-"
                        + context.getTraceFlags().asHex()
                : null;
    }

    /** Begins a span under what was {@link #current} once, here or elsewhere; null begins a trace. */
    public static TraceSpan begin(TraceSpan.TraceKind kind, String name, String parent, Map<String, ?> attributes) {
        Context context = parent == null
                ? Context.root()
                : W3CTraceContextPropagator.getInstance().extract(Context.root(), parent, ITSELF);
        return begin(kind, name, context, attributes);
    }

    static TraceSpan begin(TraceSpan.TraceKind kind, String name, Context parent, Map<String, ?> attributes) {
        return new TraceSpan(GlobalOpenTelemetry.getOrNoop()
                .getTracer(NAME)
                .spanBuilder(name)
                .setSpanKind(SpanKind.valueOf(kind.name()))
                .setParent(parent)
                .setAllAttributes(attributes(attributes))
                .startSpan());
    }

    static Attributes attributes(Map<String, ?> values) {
        AttributesBuilder attributes = Attributes.builder();
        values.forEach((name, value) -> {
            switch (value) {
                case Integer number -> attributes.put(name, number.longValue());
                case Long number -> attributes.put(name, number);
                case Double number -> attributes.put(name, number);
                case Boolean yes -> attributes.put(name, yes);
                default -> attributes.put(name, value.toString());
            }
        });
        return attributes.build();
    }
}
