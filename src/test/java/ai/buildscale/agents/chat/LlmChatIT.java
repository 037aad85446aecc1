package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.engine.llm.FakeAnswer;
import ai.buildscale.agents.engine.llm.FakeOpenAi;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Agents that think with a model behind a server that speaks the OpenAI protocol. */
class LlmChatIT {
    private static FakeOpenAi provider;
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        provider = FakeOpenAi.start();
        service = Service.start(Map.of(
                "llm.models.fake.provider", "openai",
                "llm.models.fake.base-url", provider.baseUrl(),
                "llm.models.fake.api-key", "sk-secret",
                "llm.models.fake.timeout", "1S",
                "llm.retry-delay", "0.1S"));
        owner = Api.user(service);
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        service.close();
        provider.close();
    }

    private static Talk begin(String agentType) {
        return Talk.begin(
                owner, workspace, "{\"model\":\"fake\",\"goal\":\"Ship it\",\"agent_type\":\"" + agentType + "\"}");
    }

    @Test
    void aModelsWordsAreStreamedAndItsTokensCounted() {
        Talk talk = begin("assistant");
        provider.then(FakeAnswer.says("Hel", "lo ", "there").uses(12, 5), FakeAnswer.says("Again"));
        try (SseStream stream = talk.stream()) {
            talk.say("Hi");
            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            assertThat(done.text("message")).isEqualTo("Hello there");
            assertThat(Talk.shown(stream, null)).isEqualTo("Hello there");
            assertThat(done.data().at("/usage/input_tokens").asInt()).isEqualTo(12);
            talk.say("And now?");
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("Again"));
        }
        assertThat(provider.lastAsked().messages().toString())
                .as("the whole chat is told")
                .contains("Ship it", "Hi", "Hello there", "And now?");
        assertThat(talk.session().at("/usage/output_tokens").asInt()).isGreaterThanOrEqualTo(5);
        assertThat(service.log()).doesNotContain("sk-secret");
    }

    @Test
    void aToolIsCalledAndItsAnswerTold() {
        Talk talk = begin("builder");
        provider.then(
                FakeAnswer.calls("set_task", "{\"task\":", "\"Step 1\"}"),
                FakeAnswer.calls("current_time", "{}"),
                FakeAnswer.says("It is late"));
        try (SseStream stream = talk.stream()) {
            talk.say("Go");
            stream.await(event -> event.type().equals("done"));
            assertThat(Talk.course(stream)).contains("agent_task", "call observation");
        }
        assertThat(talk.session().get("current_task").asText()).isEqualTo("Step 1");
        assertThat(talk.events("call"))
                .extracting(call -> call.get("tool").asText())
                .contains("current_time");
    }

    @Test
    void aPlannerAsksAndGoesOnWithTheAnswer() {
        Talk talk = begin("planner");
        provider.then(
                FakeAnswer.says("1. Do it.").thenCalls("ask_user", "{\"question\":\"Go on?\"}"),
                FakeAnswer.says(" So be it."));
        try (SseStream stream = talk.stream()) {
            talk.say("Plan");
            assertThat(stream.await(event -> event.type().equals("question_pending"))
                            .text("question"))
                    .isEqualTo("Go on?");
            talk.answer("\"yes, do\"").expect(202);
            stream.await(event -> event.type().equals("done"));
        }
        assertThat(provider.lastAsked().messages().toString()).contains("yes, do");
    }

    @Test
    void aStopClosesTheConnectionToTheModel() {
        Talk talk = begin("assistant");
        int before = provider.abandoned();
        provider.then(FakeAnswer.says("One ", "two").stalls());
        try (SseStream stream = talk.stream()) {
            talk.say("Hi");
            await().until(() -> Talk.shown(stream, null).equals("One two"));
            talk.stop().expect(200);
            await().atMost(Duration.ofSeconds(5)).until(() -> provider.abandoned() > before);
        }
        assertThat(talk.told()).contains("assistant: One two");
    }

    @Test
    void whatGoesWrongIsToldToPeopleAndNotTheKey() {
        Talk limited = begin("assistant");
        provider.then(FakeAnswer.status(429).header("Retry-After", "1"), FakeAnswer.says("Fine"));
        limited.say("Hi");
        await().atMost(Duration.ofSeconds(10)).until(() -> limited.told().contains("assistant: Fine"));

        for (FakeAnswer answer : new FakeAnswer[] {
            FakeAnswer.says("One ").stalls(), FakeAnswer.says("One ").cuts(), FakeAnswer.status(401)
        }) {
            Talk talk = begin("assistant");
            provider.then(answer);
            talk.say("Hi");
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> talk.session().get("status").asText().equals("error"));
            assertThat(talk.session().get("error_message").asText())
                    .contains("fake")
                    .doesNotContain("sk-secret", "127.0.0.1");
        }
    }
}
