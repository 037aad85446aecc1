package ai.buildscale.agents.testing;

import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.trace.ReadWriteSpan;
import io.opentelemetry.sdk.trace.ReadableSpan;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.SpanProcessor;
import io.opentelemetry.sdk.trace.data.SpanData;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Traces what is done in this JVM, and keeps it. */
public final class Spans implements AutoCloseable {
    private final List<SpanData> ended = new CopyOnWriteArrayList<>();

    private Spans() {
        GlobalOpenTelemetry.resetForTest();
        OpenTelemetrySdk.builder()
                .setTracerProvider(SdkTracerProvider.builder()
                        .addSpanProcessor(new SpanProcessor() {
                            @Override
                            public void onStart(Context parent, ReadWriteSpan span) {
                                // of interest once it is over
                            }

                            @Override
                            public boolean isStartRequired() {
                                return false;
                            }

                            @Override
                            public void onEnd(ReadableSpan span) {
                                ended.add(span.toSpanData());
                            }

                            @Override
                            public boolean isEndRequired() {
                                return true;
                            }
                        })
                        .build())
                .buildAndRegisterGlobal();
    }

    public static Spans kept() {
        return new Spans();
    }

    /** Those that are over, in the order of their ends. */
    public List<SpanData> ended() {
        return ended;
    }

    public static String attribute(SpanData span, String name) {
        return span.getAttributes().get(AttributeKey.stringKey(name));
    }

    @Override
    public void close() {
        GlobalOpenTelemetry.resetForTest();
    }
}
