package ai.buildscale.agents.engine.llm;

import static ai.buildscale.agents.engine.llm.LlmFixture.said;
import static ai.buildscale.agents.engine.llm.LlmFixture.turn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import io.smallrye.mutiny.helpers.test.AssertSubscriber;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Turns with a model of Ollama's. */
class OllamaTest {
    private final FakeOllama fake = FakeOllama.start();
    private final LlmFixture lab =
            new LlmFixture("ollama", fake.baseUrl(), Map.of("model", "llama3.2:3b", "max-tokens", "77"));

    @AfterEach
    void close() {
        lab.close();
        fake.close();
    }

    @Test
    void streamsAnAnswerAndItsTokens() {
        fake.then(FakeAnswer.says("Hel", "lo").uses(12, 5));

        List<Output> outputs = lab.outputs(turn("Hi"));

        assertThat(said(outputs)).isEqualTo("Hello");
        assertThat(outputs).last().isEqualTo(new Output.TokenUsage(12, 5));
        assertThat(fake.lastAsked().path()).isEqualTo("/api/chat");
        assertThat(fake.lastAsked().body().getString("model")).isEqualTo("llama3.2:3b");
        assertThat(fake.lastAsked().body().getJsonObject("options").getInteger("num_predict"))
                .isEqualTo(77);
    }

    @Test
    void callsATool() {
        fake.then(
                FakeAnswer.says("Let me see. ").thenCalls("current_time", "{\"zone\":\"Asia/Tokyo\"}"),
                FakeAnswer.says("Noon"));
        Turn turn = turn("Now?");

        List<Output> outputs = lab.outputs(turn);

        assertThat(outputs)
                .contains(new Output.Observation(turn.callId(0), "2026-05-04T12:02:01+09:00[Asia/Tokyo]", true));
        assertThat(said(outputs)).isEqualTo("Let me see. Noon");
        assertThat(fake.lastAsked().messages())
                .endsWith("assistant: Let me see. ", "tool: 2026-05-04T12:02:01+09:00[Asia/Tokyo]");
    }

    @Test
    void showsWhatTheModelThinks() {
        fake.then(FakeAnswer.says().thinks("Hm.").then("Four"));

        assertThat(lab.outputs(turn("2 + 2?"))).startsWith(new Output.Thought("Hm."), new Output.Chunk("Four"));
    }

    @Test
    void aBreakInTheMiddleFails() {
        fake.then(FakeAnswer.says("Hel").cuts());

        assertThat(lab.failure(turn("Hi")))
                .hasMessage("The connection to the model test-model broke off in the middle of its answer.");
    }

    @Test
    void anEndWithoutAnEndIsABreak() {
        fake.then(FakeAnswer.says("Hel").endsEarly());

        assertThat(lab.failure(turn("Hi")))
                .hasMessage("The connection to the model test-model broke off in the middle of its answer.");
    }

    @Test
    void aModelThatIsNotPulledIsARefusal() {
        fake.then(FakeAnswer.status(404).body("{\"error\":\"model not found\"}"));

        assertThat(lab.failure(turn("Hi")))
                .isInstanceOfSatisfying(
                        EngineFailure.class, e -> assertThat(e.isPassing()).isFalse())
                .hasMessage("The model test-model refused the request.");
    }

    @Test
    void cancelledItStopsAtOnce() {
        fake.then(FakeAnswer.says("Hel").stalls());
        AssertSubscriber<Output> turn = lab.think(turn("Hi")).awaitNextItem(LlmFixture.SOON);

        turn.cancel();

        await().atMost(Duration.ofSeconds(1)).until(() -> fake.abandoned() == 1);
    }
}
