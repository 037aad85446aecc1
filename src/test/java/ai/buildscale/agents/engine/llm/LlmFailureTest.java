package ai.buildscale.agents.engine.llm;

import static ai.buildscale.agents.engine.llm.LlmFixture.said;
import static ai.buildscale.agents.engine.llm.LlmFixture.turn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import io.smallrye.mutiny.helpers.test.AssertSubscriber;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Turns with a model that does not behave. */
class LlmFailureTest {
    private static final Duration A_SECOND = Duration.ofSeconds(1);

    private final FakeOpenAi fake = FakeOpenAi.start();
    private LlmFixture lab = lab(Map.of());

    private LlmFixture lab(Map<String, String> settings) {
        return new LlmFixture("openai", fake.baseUrl(), settings);
    }

    private void with(Map<String, String> settings) {
        lab.close();
        lab = lab(settings);
    }

    @AfterEach
    void close() {
        lab.close();
        fake.close();
    }

    private void assertFails(boolean passing, String message) {
        assertThat(lab.failure(turn("Hi")))
                .isInstanceOfSatisfying(
                        EngineFailure.class, e -> assertThat(e.isPassing()).isEqualTo(passing))
                .hasMessage(message);
    }

    private static String trace(Throwable failure) {
        StringWriter trace = new StringWriter();
        failure.printStackTrace(new PrintWriter(trace));
        return trace.toString();
    }

    private double requests(String outcome) {
        return lab.count("llm.requests", "model", LlmFixture.MODEL, "outcome", outcome);
    }

    @Test
    void aStallInTheMiddleFailsAndFreesTheConnection() {
        with(Map.of("timeout", "PT2S"));
        fake.then(FakeAnswer.says("Hel").stalls());

        AssertSubscriber<Output> turn = lab.think(turn("Hi")).awaitFailure(LlmFixture.SOON);

        assertThat(turn.getFailure()).hasMessage("The model test-model stopped in the middle of its answer.");
        assertThat(((EngineFailure) turn.getFailure()).isPassing()).isTrue();
        assertThat(said(turn.getItems())).isEqualTo("Hel");
        assertThat(requests("stalled")).isEqualTo(1);
        await().atMost(A_SECOND).until(() -> fake.abandoned() == 1);
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void aBreakInTheMiddleFailsAndIsNotAskedAgain() {
        fake.then(FakeAnswer.says("Hel").cuts());

        assertFails(true, "The connection to the model test-model broke off in the middle of its answer.");
        assertThat(requests("broken")).isEqualTo(1);
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void anEndWithoutAnEndIsABreak() {
        fake.then(FakeAnswer.says("Hel").endsEarly());

        assertFails(true, "The connection to the model test-model broke off in the middle of its answer.");
    }

    @Test
    void anErrorInTheMiddleIsABreak() {
        fake.then(FakeAnswer.says("Hel")
                .raw("data: {\"error\": {\"message\": \"overloaded\"}}\n\n")
                .stalls());

        assertFails(true, "The connection to the model test-model broke off in the middle of its answer.");
    }

    @Test
    void whatIsNoJsonIsNotUnderstood() {
        fake.then(FakeAnswer.says().raw("data: {nonsense\n\n").stalls());

        assertFails(false, "The model test-model answered in a way that this service does not understand.");
    }

    @Test
    void isAskedAgainWhenItMayBe() {
        fake.then(FakeAnswer.status(429).header("Retry-After", "1"), FakeAnswer.says("Now"));

        assertThat(said(lab.outputs(turn("Hi")))).isEqualTo("Now");

        long wait = fake.asked().get(1).at() - fake.asked().get(0).at();
        assertThat(Duration.ofNanos(wait)).isGreaterThan(A_SECOND);
        assertThat(requests("busy")).isEqualTo(1);
        assertThat(requests("ok")).isEqualTo(1);
    }

    @Test
    void isNotWaitedForTooLong() {
        fake.then(FakeAnswer.status(429).header("Retry-After", "3600"));

        assertFails(true, "The model test-model is busy.");
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void isAskedAgainAfterErrorsOfItsOwn() {
        fake.then(FakeAnswer.status(500), FakeAnswer.status(503), FakeAnswer.says("Third time"));

        assertThat(said(lab.outputs(turn("Hi")))).isEqualTo("Third time");
        assertThat(requests("unavailable")).isEqualTo(2);
    }

    @Test
    void isAskedAgainWhenItHangsUp() {
        fake.then(FakeAnswer.hangsUp(), FakeAnswer.says("Here"));

        assertThat(said(lab.outputs(turn("Hi")))).isEqualTo("Here");
    }

    @Test
    void givesUpAfterThat() {
        fake.then(FakeAnswer.status(500), FakeAnswer.status(500), FakeAnswer.status(500));

        assertFails(true, "The model test-model is not available right now.");
        assertThat(fake.asked()).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void aWrongKeyIsToldWithoutTheKey(int status) {
        with(Map.of("api-key", "sk-very-secret"));
        fake.then(FakeAnswer.status(status).body("Incorrect API key provided: sk-very-secret"));

        Throwable failure = lab.failure(turn("Hi"));

        assertThat(failure)
                .isInstanceOfSatisfying(
                        EngineFailure.class, e -> assertThat(e.isPassing()).isFalse())
                .hasMessage("The model test-model does not accept this service's key.");
        assertThat(trace(failure)).doesNotContain("sk-very-secret");
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void aRequestThatItDoesNotLikeIsNotRepeated() {
        fake.then(FakeAnswer.status(400).body("{\"error\":{\"message\":\"too long\"}}"));

        assertFails(false, "The model test-model refused the request.");
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void whyItDoesNotLikeARequestIsToldToOperatorsWithoutTheKey() {
        with(Map.of("api-key", "sk-very-secret"));
        fake.then(FakeAnswer.status(400).body("bad\nrequest of sk-very-secret"));

        Throwable failure = lab.failure(turn("Hi"));

        assertThat(failure.getCause()).hasMessage("status 400: bad request of …");
        assertThat(trace(failure)).doesNotContain("sk-very-secret");
    }

    @Test
    void aModelThatNeverAnswersIsNotWaitedFor() {
        with(Map.of("timeout", "PT0.3S"));
        fake.then(FakeAnswer.never());

        assertFails(true, "The model test-model did not answer in time.");
        assertThat(requests("silent")).isEqualTo(1);
        await().atMost(A_SECOND).until(() -> fake.abandoned() == 1);
    }

    @Test
    void aTurnHasItsTime() {
        with(Map.of("turn-timeout", "PT0.3S"));
        fake.then(FakeAnswer.says("Hel").stalls());

        assertFails(true, "The model test-model did not come to an end in time.");
    }

    @Test
    void aServerThatIsNotThere() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        try (LlmFixture nobody = new LlmFixture("openai", "http://127.0.0.1:" + port + "/v1", Map.of())) {
            assertThat(nobody.failure(turn("Hi"))).hasMessage("The model test-model is not available right now.");
            assertThat(nobody.count("llm.requests", "outcome", "unavailable")).isEqualTo(3);
        }
    }

    @Test
    void cancelledInTheMiddleItStopsAtOnce() {
        fake.then(FakeAnswer.says("Hel").stalls());
        AssertSubscriber<Output> turn = lab.think(turn("Hi")).awaitNextItem(LlmFixture.SOON);

        turn.cancel();

        await().atMost(A_SECOND).until(() -> fake.abandoned() == 1);
        await().atMost(A_SECOND).until(() -> requests("cancelled") == 1);
    }

    @Test
    void cancelledBeforeTheFirstTokenItStopsAtOnce() {
        fake.then(FakeAnswer.never());
        AssertSubscriber<Output> turn = lab.think(turn("Hi"));
        await().until(() -> fake.asked().size() == 1);

        turn.cancel();

        await().atMost(A_SECOND).until(() -> fake.abandoned() == 1);
    }

    @Test
    void cancelledWhileItWaitsToAskAgainItAsksNoMore() {
        with(Map.of("llm.retry-delay", "PT0.2S"));
        fake.then(FakeAnswer.status(500));
        AssertSubscriber<Output> turn = lab.think(turn("Hi"));
        await().until(() -> requests("unavailable") == 1);

        turn.cancel();

        // the attempt that was due counts as stopped before it asked
        await().until(() -> requests("cancelled") == 1);
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void aModelThatFailsTooOftenIsLeftAloneForAWhile() {
        with(Map.of(
                "retries", "0",
                "llm.breaker.requests", "4",
                "llm.breaker.delay", "PT0.5S"));
        for (int i = 0; i < 4; i++) {
            fake.then(FakeAnswer.status(500));
            assertFails(true, "The model test-model is not available right now.");
        }

        assertFails(true, "The model test-model is not available right now.");
        assertThat(fake.asked()).hasSize(4);
        assertThat(requests("shut")).isEqualTo(1);

        await().atMost(LlmFixture.SOON)
                .untilAsserted(() -> assertThat(said(
                                lab.think(turn("Hi")).awaitCompletion(A_SECOND).getItems()))
                        .isEqualTo("ok"));
        assertThat(said(lab.outputs(turn("Hi")))).isEqualTo("ok");
    }

    @Test
    void aWrongKeyDoesNotShutTheModel() {
        with(Map.of("llm.breaker.requests", "2"));
        for (int i = 0; i < 5; i++) {
            fake.then(FakeAnswer.status(401));
            assertFails(false, "The model test-model does not accept this service's key.");
        }
        assertThat(fake.asked()).hasSize(5);
    }

    @Test
    void anAddressWithAPasswordIsNotTakenAndNotTold() {
        assertThatThrownBy(() -> new LlmFixture("openai", "https://me:secret@example.org/v1", Map.of()).close())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("test-model")
                .hasMessageNotContaining("secret");
    }

    @Test
    void aModelThatIsNotConfiguredIsNotThere() {
        Turn known = turn("Hi");
        Turn unknown = new Turn(
                known.id(),
                known.sessionId(),
                known.chatId(),
                known.agentType(),
                known.mode(),
                "other",
                null,
                known.history(),
                "",
                1,
                known.span());

        assertThat(lab.failure(unknown)).isInstanceOf(EngineFailure.class).hasMessage("There is no model other.");
    }
}
