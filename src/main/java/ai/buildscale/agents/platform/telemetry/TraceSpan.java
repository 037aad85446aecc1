package ai.buildscale.agents.platform.telemetry;

import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Context;
import io.vertx.core.Vertx;
import io.vertx.core.impl.ContextInternal;
import java.util.Map;
import org.jboss.logmanager.MDC;

/** A span of a trace, from its beginning until its {@link #end}. Any thread may say something of it. */
public final class TraceSpan {
    /** What is not traced. */
    public static final TraceSpan NONE = new TraceSpan(io.opentelemetry.api.trace.Span.getInvalid());

    /** Its type, where it failed: a word of which there are few. */
    private static final String ERROR = "error.type";

    private static final String TRACE_ID = "traceId";

    /** What it is to its parent. */
    public enum TraceKind {
        /** A part of it. */
        INTERNAL,
        /** A call to somebody else. */
        CLIENT,
        /** Its parent left it to be done by whoever takes it. */
        CONSUMER
    }

    private final io.opentelemetry.api.trace.Span span;

    TraceSpan(io.opentelemetry.api.trace.Span span) {
        this.span = span;
    }

    /** Begins a span within this one. */
    public TraceSpan child(TraceKind kind, String name, Map<String, ?> attributes) {
        return span.getSpanContext().isValid()
                ? Traces.begin(kind, name, Context.root().with(span), attributes)
                : NONE;
    }

    /** Says a word, a number or a boolean of it; null says nothing. Never what people or agents have said. */
    public TraceSpan with(String attribute, Object value) {
        if (value != null && span.isRecording()) {
            span.setAllAttributes(Traces.attributes(Map.of(attribute, value)));
        }
        return this;
    }

    /** Something happened in it just now. */
    public void event(String name) {
        span.addEvent(name);
    }

    /** It is over; nothing that is said of it later counts. */
    public void end() {
        span.end();
    }

    /** It is over, and went wrong. */
    public void fail(String type) {
        span.setAttribute(ERROR, type);
        span.setStatus(StatusCode.ERROR);
        span.end();
    }

    /** Runs what writes to the log, so that its lines name the trace. */
    public void log(Runnable lines) {
        SpanContext context = span.getSpanContext();
        if (!context.isValid()) {
            lines.run();
        } else if (Vertx.currentContext() instanceof ContextInternal loop) {
            // what the log knows of a request is in its Vert.x context: an event loop's own has no place for it
            loop.duplicate().dispatch(() -> named(context.getTraceId(), lines));
        } else {
            named(context.getTraceId(), lines);
        }
    }

    private static void named(String trace, Runnable lines) {
        MDC.put(TRACE_ID, trace);
        try {
            lines.run();
        } finally {
            MDC.remove(TRACE_ID);
        }
    }
}
