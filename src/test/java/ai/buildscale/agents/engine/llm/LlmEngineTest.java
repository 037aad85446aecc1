package ai.buildscale.agents.engine.llm;

import static ai.buildscale.agents.engine.llm.LlmFixture.again;
import static ai.buildscale.agents.engine.llm.LlmFixture.said;
import static ai.buildscale.agents.engine.llm.LlmFixture.turn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.session.AgentType;
import ai.buildscale.agents.session.Mode;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.AssertSubscriber;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Turns with a model that behaves. */
class LlmEngineTest {
    private final FakeOpenAi fake = FakeOpenAi.start();
    private final LlmFixture lab = lab(Map.of());

    private LlmFixture lab(Map<String, String> settings, Tool... tools) {
        return new LlmFixture("openai", fake.baseUrl(), settings, tools);
    }

    @AfterEach
    void close() {
        lab.close();
        fake.close();
    }

    @Test
    void servesWhatIsConfigured() {
        assertThat(lab.engine.serves(LlmFixture.MODEL)).isTrue();
        assertThat(lab.engine.serves("fake")).isFalse();
        assertThat(lab.engine.serves("")).isFalse();
    }

    @Test
    void streamsAnAnswerAndItsTokens() {
        fake.then(FakeAnswer.says("Hel", "lo ", "wörld 🎉").uses(12, 5));

        List<Output> outputs = lab.outputs(turn("Hi"));

        assertThat(said(outputs)).isEqualTo("Hello wörld 🎉");
        assertThat(outputs).last().isEqualTo(new Output.TokenUsage(12, 5));
        assertThat(fake.lastAsked().path()).isEqualTo("/v1/chat/completions");
        assertThat(fake.lastAsked().body().getBoolean("stream")).isTrue();
        assertThat(fake.lastAsked().body().getJsonObject("stream_options").getBoolean("include_usage"))
                .isTrue();
        assertThat(fake.lastAsked().messages()).last().isEqualTo("user: Hi");
        assertThat(lab.count("llm.requests", "model", LlmFixture.MODEL, "outcome", "ok"))
                .isEqualTo(1);
        assertThat(lab.count("llm.tokens", "kind", "input")).isEqualTo(12);
        assertThat(lab.count("llm.tokens", "kind", "output")).isEqualTo(5);
        assertThat(lab.metrics.get("llm.first.token").timer().count()).isEqualTo(1);
    }

    @Test
    void eachPieceComesAsSoonAsItIsThere() {
        CompletableFuture<Void> heard = new CompletableFuture<>();
        fake.then(FakeAnswer.says("first").waitsFor(heard).then(" second"));

        AssertSubscriber<Output> turn = lab.think(turn("Hi")).awaitNextItem(LlmFixture.SOON);

        assertThat(turn.getLastItem()).isEqualTo(new Output.Chunk("first"));
        heard.complete(null);
        assertThat(said(turn.awaitCompletion(LlmFixture.SOON).getItems())).isEqualTo("first second");
    }

    @Test
    void saysTheKeyAndTheNameThatTheProviderKnows() {
        try (LlmFixture lab =
                lab(Map.of("api-key", "secret", "model", "gpt-9", "temperature", "0.5", "max-tokens", "77"))) {
            lab.outputs(turn("Hi"));
        }

        assertThat(fake.lastAsked().authorization()).isEqualTo("Bearer secret");
        assertThat(fake.lastAsked().body().getString("model")).isEqualTo("gpt-9");
        assertThat(fake.lastAsked().body().getDouble("temperature")).isEqualTo(0.5);
        assertThat(fake.lastAsked().body().getInteger("max_tokens")).isEqualTo(77);
    }

    @Test
    void showsWhatTheModelThinks() {
        fake.then(FakeAnswer.says().thinks("Hm, ").thinks("easy.").then("Four"));

        assertThat(lab.outputs(turn("2 + 2?")))
                .startsWith(new Output.Thought("Hm, easy."))
                .contains(new Output.Chunk("Four"));
    }

    @Test
    void callsAToolWhoseArgumentsComeInFragments() {
        fake.then(FakeAnswer.says("Let me see. ").thenCalls("current_time", "{\"zo", "ne\": \"Asia/", "Tokyo\"}"))
                .then(FakeAnswer.says("It is noon"));
        Turn turn = turn("What time is it?");

        List<Output> outputs = lab.outputs(turn);

        assertThat(outputs)
                .containsSubsequence(
                        new Output.Chunk("Let me see. "),
                        new Output.Call(turn.callId(0), "current_time", "{\"zone\":\"Asia/Tokyo\"}"),
                        new Output.Observation(turn.callId(0), "2026-05-04T12:02:01+09:00[Asia/Tokyo]", true),
                        new Output.Chunk("It is noon"));
        JsonArray told = fake.lastAsked().body().getJsonArray("messages");
        JsonObject call = told.getJsonObject(told.size() - 2);
        assertThat(call.getString("content")).isEqualTo("Let me see. ");
        assertThat(told.getJsonObject(told.size() - 1))
                .isEqualTo(new JsonObject()
                        .put("role", "tool")
                        .put(
                                "tool_call_id",
                                call.getJsonArray("tool_calls").getJsonObject(0).getString("id"))
                        .put("content", "2026-05-04T12:02:01+09:00[Asia/Tokyo]"));
    }

    @Test
    void makesSeveralCallsOfOneRound() {
        fake.then(FakeAnswer.calls("current_time", "{}").thenCalls("current_time", "{\"zone\":", "\"Nowhere/At\"}"));
        Turn turn = turn("Now?");

        assertThat(lab.outputs(turn))
                .filteredOn(Output.Observation.class::isInstance)
                .containsExactly(
                        new Output.Observation(turn.callId(0), "2026-05-04T03:02:01Z[UTC]", true),
                        new Output.Observation(turn.callId(1), "There is no time zone Nowhere/At", false));
    }

    @Test
    void aToolRunsOnlyOnceItsCallIsWrittenDown() {
        List<String> runs = new CopyOnWriteArrayList<>();
        fake.then(FakeAnswer.calls("current_time", "{}"));
        Turn turn = turn("Now?");
        try (LlmFixture lab = lab(Map.of(), new Recording("current_time", runs))) {
            AssertSubscriber<Output> outputs =
                    lab.engine.think(turn).subscribe().withSubscriber(AssertSubscriber.create(0));

            outputs.awaitNextItems(2, LlmFixture.SOON);
            assertThat(outputs.getLastItem()).isInstanceOf(Output.Call.class);
            assertThat(runs).isEmpty();
            outputs.awaitNextItem(LlmFixture.SOON);
            assertThat(outputs.getLastItem()).isEqualTo(new Output.Observation(turn.callId(0), "ran", true));
            assertThat(runs).containsExactly(turn.callId(0));
            outputs.cancel();
        }
    }

    @Test
    void aToolStopsWithItsTurn() {
        CompletableFuture<Void> stopped = new CompletableFuture<>();
        fake.then(FakeAnswer.calls("current_time", "{}"));
        Uni<String> hanging =
                Uni.createFrom().<String>nothing().onCancellation().invoke(() -> stopped.complete(null));
        try (LlmFixture lab = lab(Map.of(), new Recording("current_time", new CopyOnWriteArrayList<>(), hanging))) {
            AssertSubscriber<Output> outputs = lab.think(turn("Now?")).awaitItems(2, LlmFixture.SOON);

            outputs.cancel();

            await().until(stopped::isDone);
        }
    }

    @Test
    void whatGoesWrongWithAToolIsAnObservation() {
        fake.then(FakeAnswer.calls("current_time", "{not json"), FakeAnswer.calls("no_such_tool", "{}"));

        assertThat(lab.outputs(turn("Now?")))
                .filteredOn(Output.Observation.class::isInstance)
                .extracting(output -> ((Output.Observation) output).output())
                .containsExactly("2026-05-04T03:02:01Z[UTC]", "There is no tool no_such_tool");
    }

    @Test
    void aModelThatOnlyCallsToolsIsStopped() {
        try (LlmFixture lab = lab(Map.of("llm.rounds", "3"))) {
            IntStream.range(0, 5).forEach(_ -> fake.then(FakeAnswer.calls("current_time", "{}")));

            assertThat(lab.failure(turn("Now?")))
                    .isInstanceOfSatisfying(
                            EngineFailure.class, e -> assertThat(e.isPassing()).isFalse())
                    .hasMessage("The model test-model called tools 3 times without coming to an answer.");
        }
        assertThat(fake.asked()).hasSize(3);
    }

    @Test
    void aQuestionEndsThisPartOfTheTurn() {
        fake.then(FakeAnswer.says("Two ways. ").thenCalls("ask_user", "{\"question\":\"Which", " one?\"}"));
        Turn turn = turn(AgentType.PLANNER, "Plan it");

        List<Output> outputs = lab.outputs(turn);

        assertThat(outputs).contains(new Output.Call(turn.callId(0), "ask_user", "{\"question\":\"Which one?\"}"));
        assertThat(outputs).last().isEqualTo(new Output.Question("Which one?", "{\"type\":\"string\"}"));
        assertThat(fake.asked()).hasSize(1);
    }

    @Test
    void theAnswerIsTheResultOfTheQuestion() {
        fake.then(FakeAnswer.says("Then so."));
        Turn turn = turn(AgentType.PLANNER, "Plan it");
        String asked = "{\"question\":\"Which one?\"}";

        List<Output> outputs = lab.outputs(again(
                turn,
                "Two ways. ",
                LlmFixture.call(turn, 0, "ask_user", asked, 10),
                LlmFixture.question(turn, "q1", "Which one?"),
                LlmFixture.answer(turn, "q1", "\"the second\"")));

        assertThat(outputs).startsWith(new Output.Observation(turn.callId(0), "\"the second\"", true));
        assertThat(said(outputs)).isEqualTo("Then so.");
        assertThat(fake.lastAsked().messages()).endsWith("assistant: Two ways. ", "tool: \"the second\"");
    }

    @Test
    void steersItsAgent() {
        fake.then(
                FakeAnswer.calls("set_task", "{\"task\":\"Digging\"}").thenCalls("switch_mode", "{\"mode\":\"plan\"}"),
                FakeAnswer.says("Done"));
        Turn turn = turn(AgentType.BUILDER, "Build it");

        assertThat(lab.outputs(turn))
                .containsSubsequence(
                        new Output.CurrentTask("Digging"),
                        new Output.Observation(turn.callId(0), "Done", true),
                        new Output.ModeChange(Mode.PLAN),
                        new Output.Observation(turn.callId(1), "You work in plan mode", true));
        assertThat(fake.asked().getFirst().messages().getFirst()).contains("You are a builder", "build mode");
        assertThat(fake.asked().getLast().messages().getFirst()).contains("You are a builder", "plan mode");
    }

    @Test
    void anAgentGetsTheToolsOfItsType() {
        lab.outputs(turn(AgentType.ASSISTANT, "Hi"));
        lab.outputs(turn(AgentType.BUILDER, "Hi"));

        assertThat(tools(fake.asked().get(0))).containsExactlyInAnyOrder("ask_user", "current_time");
        assertThat(tools(fake.asked().get(1)))
                .containsExactlyInAnyOrder("ask_user", "set_task", "switch_mode", "current_time");
    }

    private static List<String> tools(FakeProvider.Asked asked) {
        return asked.body().getJsonArray("tools").stream()
                .map(tool -> ((JsonObject) tool).getJsonObject("function").getString("name"))
                .toList();
    }

    @Test
    void goesOnWhereItsServerWasLost() {
        fake.then(FakeAnswer.says("ox jumps"));
        Turn turn = turn("Say it");

        assertThat(said(lab.outputs(again(turn, "The quick brown f")))).isEqualTo("ox jumps");

        List<String> told = fake.lastAsked().messages();
        assertThat(told).hasSize(4);
        assertThat(told.subList(1, 3)).containsExactly("user: Say it", "assistant: The quick brown f");
        assertThat(told.get(3)).startsWith("user: Your answer was interrupted. Go on with it exactly where it stopped");
    }

    @Test
    void makesTheOpenCallAgainBeforeAnythingElse() {
        List<String> ids = new CopyOnWriteArrayList<>();
        Turn turn = turn("Now?");
        fake.then(FakeAnswer.says("Noon"));
        try (LlmFixture lab = lab(Map.of(), new Recording("current_time", ids))) {
            List<Output> outputs = lab.outputs(again(
                    turn,
                    "One moment. ",
                    LlmFixture.call(turn, 0, "current_time", "{}", 0),
                    LlmFixture.observation(turn, 0, "early"),
                    LlmFixture.call(turn, 1, "current_time", "{}", 12)));

            assertThat(outputs).startsWith(new Output.Observation(turn.callId(1), "ran", true));
            assertThat(said(outputs)).isEqualTo("Noon");
        }
        assertThat(ids).containsExactly(turn.callId(1));
        assertThat(fake.lastAsked().messages())
                .endsWith("assistant: null", "tool: early", "assistant: One moment. ", "tool: ran");
    }

    @Test
    void aSlowReaderHoldsTheModelUp() {
        String piece = "0123456789".repeat(1000);
        FakeAnswer answer = FakeAnswer.says();
        IntStream.range(0, 3000).forEach(_ -> answer.then(piece));
        fake.then(answer);

        AssertSubscriber<Output> turn =
                lab.engine.think(turn("Much")).subscribe().withSubscriber(AssertSubscriber.create(0));
        turn.awaitNextItem(LlmFixture.SOON);
        AtomicInteger before = new AtomicInteger();
        await().pollInterval(Duration.ofMillis(300)).until(() -> before.getAndSet(fake.written()) == fake.written());
        assertThat(fake.written()).isBetween(1, 2999);
        turn.request(Long.MAX_VALUE);

        assertThat(said(turn.awaitCompletion(LlmFixture.SOON).getItems())).hasSize(3000 * piece.length());
    }

    @Test
    void oneConnectionServesManyRounds() {
        IntStream.range(0, 5).forEach(_ -> lab.outputs(turn("Hi")));

        assertThat(fake.connections()).isEqualTo(1);
        await().until(() -> fake.abandoned() == 0);
    }

    /** A tool that says which calls it got. */
    private record Recording(String name, List<String> ids, Uni<String> work) implements Tool {
        Recording(String name, List<String> ids) {
            this(name, ids, Uni.createFrom().item("ran"));
        }

        @Override
        public String description() {
            return name;
        }

        @Override
        public JsonObject parameters() {
            return new JsonObject();
        }

        @Override
        public Uni<String> run(Invocation invocation) {
            ids.add(invocation.callId());
            return work;
        }
    }
}
