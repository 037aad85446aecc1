package ai.buildscale.agents.platform.telemetry;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Spans;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.sdk.trace.data.SpanData;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Traces, turned on in this JVM and not. */
class TracesTest {
    private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
    private static final String PARENT = "00-" + TRACE + "-00f067aa0ba902b7-01";

    private static TraceSpan begin(String parent) {
        return Traces.begin(TraceSpan.TraceKind.CONSUMER, "work", parent, Map.of("text", "a", "whole", 1, "yes", true));
    }

    @Test
    void aSpanGoesOnWithWhatWasKept() {
        try (Spans spans = Spans.kept()) {
            TraceSpan work = begin(PARENT);
            work.child(TraceSpan.TraceKind.CLIENT, "call", Map.of())
                    .with("part", 0.5)
                    .end();
            work.with("nothing", null).event("obeyed");
            work.end();
            work.fail("late");

            SpanData call = spans.ended().getFirst();
            SpanData over = spans.ended().getLast();
            assertThat(spans.ended()).hasSize(2);
            assertThat(over.getTraceId()).isEqualTo(TRACE);
            assertThat(over.getParentSpanId()).isEqualTo("00f067aa0ba902b7");
            assertThat(over.getKind()).isEqualTo(SpanKind.CONSUMER);
            assertThat(over.getAttributes().asMap())
                    .isEqualTo(Map.of(
                            AttributeKey.stringKey("text"),
                            "a",
                            AttributeKey.longKey("whole"),
                            1L,
                            AttributeKey.booleanKey("yes"),
                            true));
            assertThat(over.getEvents()).hasSize(1);
            assertThat(call.getParentSpanId()).isEqualTo(over.getSpanId());
            assertThat(call.getAttributes().get(AttributeKey.doubleKey("part"))).isEqualTo(0.5);
        }
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "nonsense", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"})
    void whatIsNoTraceBeginsOne(String parent) {
        try (Spans spans = Spans.kept()) {
            begin(parent).end();

            assertThat(spans.ended().getFirst().getParentSpanId()).isEqualTo("0000000000000000");
        }
    }

    @Test
    void whatWasNotChosenIsNotTracedFurther() {
        try (Spans spans = Spans.kept()) {
            TraceSpan work = begin(PARENT.replaceAll("01$", "00"));
            work.child(TraceSpan.TraceKind.INTERNAL, "part", Map.of()).end();
            work.end();

            assertThat(spans.ended()).isEmpty();
        }
    }

    @Test
    void nothingIsDoneWhereTheyAreOff() {
        TraceSpan work = begin(null);

        assertThat(work.child(TraceSpan.TraceKind.CLIENT, "call", Map.of())).isSameAs(TraceSpan.NONE);
        assertThat(Traces.current()).isNull();
        work.log(() -> work.fail("never"));
    }

    @Test
    void theSwitchIsTheCollectorsAddress() {
        for (String none : new String[] {null, "", " "}) {
            assertThat(new TracesSwitch(none).getPropertyNames()).isEmpty();
        }
        TracesSwitch on = new TracesSwitch(" http://collector:4318 ");
        assertThat(List.of(
                        on.getValue("quarkus.otel.sdk.disabled"), on.getValue("quarkus.otel.exporter.otlp.endpoint")))
                .containsExactly("false", "http://collector:4318");
    }
}
