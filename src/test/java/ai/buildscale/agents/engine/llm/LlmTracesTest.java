package ai.buildscale.agents.engine.llm;

import static ai.buildscale.agents.engine.llm.LlmFixture.turn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.engine.GenAi;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.testing.Spans;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.smallrye.mutiny.helpers.test.AssertSubscriber;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a trace tells of models and tools, however a turn ends. */
class LlmTracesTest {
    private final Spans spans = Spans.kept();
    private final FakeOpenAi fake = FakeOpenAi.start();
    private final LlmFixture lab = new LlmFixture("openai", fake.baseUrl(), Map.of("timeout", "PT1S"));
    private final TraceSpan agent = GenAi.agent(null, new UUID(0, 1), AgentType.BUILDER, LlmFixture.MODEL);

    @AfterEach
    void close() {
        lab.close();
        fake.close();
        spans.close();
    }

    private Turn traced() {
        return LlmFixture.within(agent, turn(AgentType.BUILDER, "Hi"));
    }

    private List<SpanData> named(String name) {
        return spans.ended().stream()
                .filter(span -> span.getName().equals(name))
                .toList();
    }

    private SpanData chat() {
        await().atMost(LlmFixture.SOON).until(() -> named("chat test-model").size() == 1);
        return named("chat test-model").getFirst();
    }

    private static void assertFailed(SpanData span, String type) {
        assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.ERROR);
        assertThat(Spans.attribute(span, "error.type")).isEqualTo(type);
    }

    private static void assertWell(SpanData span) {
        assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.UNSET);
        assertThat(Spans.attribute(span, "error.type")).isNull();
    }

    @Test
    void aRequestThatIsRepeatedIsOneSpan() {
        fake.then(FakeAnswer.status(503), FakeAnswer.status(503), FakeAnswer.says("Fine"));

        lab.outputs(traced());

        assertThat(fake.asked()).hasSize(3);
        assertWell(chat());
    }

    @Test
    void aRequestThatFailsSaysHow() {
        fake.then(FakeAnswer.status(401));

        lab.failure(traced());

        assertFailed(chat(), "denied");
    }

    @Test
    void aModelThatStopsInTheMiddleFails() {
        fake.then(FakeAnswer.says("Hel").stalls());

        lab.failure(traced());

        assertFailed(chat(), "stalled");
    }

    @Test
    void whatIsStoppedEnds() {
        fake.then(FakeAnswer.says("Hel").stalls());
        AssertSubscriber<Output> turn = lab.think(traced()).awaitItems(1, LlmFixture.SOON);

        turn.cancel();

        assertFailed(chat(), "cancelled");
    }

    @Test
    void whatIsStoppedBeforeItBeganEnds() {
        fake.then(FakeAnswer.never());
        AssertSubscriber<Output> turn = lab.think(traced());
        await().atMost(LlmFixture.SOON).until(() -> fake.asked().size() == 1);

        turn.cancel();

        assertFailed(chat(), "cancelled");
    }

    @Test
    void aToolThatFailsSaysSoAndOneThatDoesNotExistIsNotTraced() {
        fake.then(
                FakeAnswer.calls("set_task", "{}"),
                FakeAnswer.calls("format_disk", "{}"),
                FakeAnswer.calls("current_time", "{}"),
                FakeAnswer.says("Fine"));

        lab.outputs(traced());

        assertThat(named("chat test-model")).hasSize(4).allSatisfy(LlmTracesTest::assertWell);
        assertFailed(named("execute_tool set_task").getFirst(), "_OTHER");
        assertWell(named("execute_tool current_time").getFirst());
        assertThat(spans.ended()).hasSize(6);
        agent.end();
        String agents = spans.ended().getLast().getSpanId();
        assertThat(spans.ended().subList(0, 6))
                .allSatisfy(span -> assertThat(span.getParentSpanId()).isEqualTo(agents));
    }
}
