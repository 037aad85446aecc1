package ai.buildscale.agents.turn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an agent does with what it is told, played by the scripted engine. */
class TurnIT {
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void begin() {
        service = Service.shared();
        owner = Api.user(service);
        workspace = owner.newWorkspace();
    }

    private static SseStream.Event awaitChunk(SseStream stream, String text) {
        return stream.await(
                event -> event.type().equals("chunk") && event.text("text").contains(text));
    }

    private static void awaitStatus(Talk talk, String status) {
        await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> talk.session().get("status").asText().equals(status));
    }

    @Test
    void aTurnIsToldFromItsBeginningToItsEnd() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            String message = talk.say("/think hm", "/call look {\"at\":\"it\"}", "Here it is.", "/usage 3 4");
            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            stream.awaitStatus("idle");

            assertThat(Talk.course(stream))
                    .isEqualTo("message running agent_task session_init thought call observation chunk done idle");
            assertThat(Talk.shown(stream, null)).isEqualTo(done.text("message")).isEqualTo("Here it is.");
            assertThat(done.data().at("/usage/input_tokens").asInt()).isEqualTo(3);
            SseStream.Event init = stream.await(event -> event.type().equals("session_init"));
            assertThat(init.text("message_id")).isEqualTo(message);
            assertThat(init.data().get("attempt").asInt()).isEqualTo(1);
            SseStream.Event call = stream.await(event -> event.type().equals("call"));
            assertThat(call.text("tool")).isEqualTo("look");
            assertThat(call.data().at("/args/at").asText()).isEqualTo("it");
            SseStream.Event seen = stream.await(event -> event.type().equals("observation"));
            assertThat(seen.text("call_id")).isEqualTo(call.text("call_id"));
            assertThat(seen.data().get("success").asBoolean()).isTrue();
        }
        assertThat(talk.told())
                .containsExactly(
                        "user: /think hm\n/call look {\"at\":\"it\"}\nHere it is.\n/usage 3 4",
                        "thought: hm",
                        "call: look",
                        talk.told().get(3),
                        "assistant: Here it is.");
        assertThat(owner.history(talk.sessionId()))
                .as("chunks are live only")
                .noneMatch(event -> event.get("event").asText().equals("chunk"));
        JsonNode usage = talk.session().get("usage");
        assertThat(usage.get("turns").asInt()).isEqualTo(1);
        assertThat(usage.get("input_tokens").asInt()).isEqualTo(3);
        assertThat(usage.get("output_tokens").asInt()).isEqualTo(4);
    }

    @ParameterizedTest
    @CsvSource({"assistant,chat", "planner,plan", "builder,build"})
    void eachTypeOfAgentAnswersInItsOwnManner(String type, String mode) {
        Talk talk = Talk.begin(owner, workspace, "{\"agent_type\":\"" + type + "\"}");
        try (SseStream stream = talk.stream()) {
            talk.say("Write a report");
            stream.await(event -> event.type().equals(type.equals("planner") ? "question_pending" : "done"));
            stream.awaitStatus("idle");
            assertThat(stream.await(event -> event.type().equals("session_init"))
                            .text("mode"))
                    .isEqualTo(mode);
            assertThat(Talk.shown(stream, null)).isNotEmpty();
        }
        if (type.equals("planner")) {
            assertThat(talk.session().get("blocked_on").asText()).contains("go on");
            talk.answer("{\"go_on\":true}").expect(202);
            await().until(() -> talk.session().get("mode").asText().equals("build"));
            awaitStatus(talk, "idle");
            assertThat(talk.whole().at("/chat/mode").asText()).isEqualTo("build");
        }
        if (type.equals("builder")) {
            assertThat(talk.session().get("current_task").asText()).startsWith("Step 3 of 3");
        }
    }

    @Test
    void itRemembersWhatWasSaid() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("One");
            stream.await(event -> event.type().equals("done"));
            talk.say("Two");
            stream.await(event ->
                    event.type().equals("done") && event.text("message").contains("Two"));
        }
        assertThat(talk.told()).hasSize(4);
        assertThat(talk.told().getLast()).contains("2 messages before it");
    }

    @Test
    void messagesThatFindItBusyWaitInOrder() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/wait 500ms", "/say one");
            talk.say("/say two");
            talk.say("/say three");
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("three"));
            assertThat(stream.events().stream()
                            .filter(event -> event.type().equals("done"))
                            .map(event -> event.text("message")))
                    .containsExactly("one", "two", "three");
        }
        assertThat(talk.told())
                .containsExactly(
                        "user: /wait 500ms\n/say one",
                        "assistant: one",
                        "user: /say two",
                        "assistant: two",
                        "user: /say three",
                        "assistant: three");
    }

    @Test
    void aMessageMayBeRefusedWhileItIsBusy() {
        Talk talk = Talk.begin(owner, workspace, "{\"on_busy\":\"reject\"}");
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/wait 20s");
            awaitChunk(stream, "one");
            assertThat(talk.post("/say two", null)
                            .expectProblem(409, "CONFLICT")
                            .get("current_status")
                            .asText())
                    .isEqualTo("running");
            talk.post("/say three", "interrupt").expect(202);
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("three"));
        }
        assertThat(talk.told())
                .containsExactly("user: /say one\n/wait 20s", "assistant: one", "user: /say three", "assistant: three");
        assertThat(talk.events("stopped")).hasSize(1);
        assertThat(talk.events("stopped").getFirst().get("partial_response").asText())
                .isEqualTo("one");
    }

    @Test
    void anInterruptGoesBeforeWhatWaits() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/wait 20s");
            awaitChunk(stream, "one");
            talk.say("/say two");
            talk.post("/say three", "interrupt").expect(202);
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("two"));
            assertThat(stream.events().stream()
                            .filter(event -> event.type().equals("done"))
                            .map(event -> event.text("message")))
                    .containsExactly("three", "two");
        }
    }

    @Test
    void stopKeepsWhatWasSaidAndTheAgent() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/wait 20s", "/say two");
            awaitChunk(stream, "one");
            JsonNode stopped = talk.stop().expect(200);
            assertThat(stopped.get("status").asText()).isEqualTo("cancelled");
            assertThat(stopped.get("chat_id").asText()).isEqualTo(talk.chatId());
            assertThat(talk.session().get("status").asText()).isEqualTo("idle");
            talk.stop().expect(200);

            SseStream.Event told = stream.await(event -> event.type().equals("stopped"));
            assertThat(told.text("reason")).isEqualTo("stopped");
            assertThat(told.text("partial_response")).isEqualTo("one");
            talk.say("/say three");
            stream.await(event -> event.type().equals("done"));
        }
        assertThat(talk.told()).contains("assistant: one", "assistant: three");
    }

    @Test
    void aStopThatComesBeforeTheStartIsNotLost() {
        for (int i = 0; i < 20; i++) {
            Talk talk = Talk.begin(owner, workspace);
            talk.say("/wait 20s");
            talk.stop().expect(200);
            await().atMost(Duration.ofSeconds(5))
                    .pollInterval(Duration.ofMillis(10))
                    .until(() -> !talk.events("stopped").isEmpty());
            awaitStatus(talk, "idle");
            assertThat(talk.session().get("status").asText()).isEqualTo("idle");
        }
    }

    @Test
    void aPauseHoldsItMidSentenceAndAResumeGoesOn() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/delay 30ms", "one two three four five six seven eight nine ten");
            awaitChunk(stream, "three");
            JsonNode paused = talk.command("pause").expect(200);
            assertThat(paused.at("/command/state").asText()).isEqualTo("applied");
            SseStream.Event stopped = stream.await(event -> event.type().equals("stopped"));
            assertThat(stopped.text("reason")).isEqualTo("paused");
            String partial = stopped.text("partial_response");
            assertThat("one two three four five six seven eight nine ten").startsWith(partial.strip());

            talk.command("resume").expect(200);
            SseStream.Event done = stream.await(event -> event.type().equals("done"));

            assertThat(done.text("message")).isEqualTo("one two three four five six seven eight nine ten");
            assertThat(Talk.shown(stream, done.text("turn_id"))).isEqualTo(done.text("message"));
            List<JsonNode> inits = talk.events("session_init");
            assertThat(inits).hasSize(2);
            assertThat(inits.get(1).get("partial_response").asText()).isEqualTo(partial);
            assertThat(inits.get(1).get("attempt").asInt()).isEqualTo(1);
        }
        awaitStatus(talk, "idle");
        assertThat(talk.told()).hasSize(2);
        assertThat(talk.session().at("/usage/turns").asInt()).isEqualTo(1);
    }

    @Test
    void whatIsSaidToAPausedAgentWaits() {
        Talk talk = Talk.begin(owner, workspace);
        talk.command("pause").expect(200);
        talk.say("/say one");
        await().until(() -> talk.whole().at("/messages/0/state").asText().equals("waiting"));
        assertThat(talk.session().get("status").asText()).isEqualTo("paused");
        talk.command("resume").expect(200);
        await().atMost(Duration.ofSeconds(5)).until(() -> talk.told().contains("assistant: one"));
        awaitStatus(talk, "idle");
    }

    @Test
    void aCancelStopsItForGoodAndTheStreamLivesOn() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/wait 20s");
            awaitChunk(stream, "one");
            owner.delete("/agent-sessions/" + talk.sessionId() + "?wait=10").expect(200);
            stream.awaitStatus("cancelled");
            assertThat(stream.await(event -> event.type().equals("stopped")).text("reason"))
                    .isEqualTo("cancelled");
            assertThat(stream.statuses()).endsWith("cancelled");
            assertThat(stream.isEnded()).isFalse();
        }
        assertThat(talk.told()).contains("assistant: one");
    }

    @Test
    void aChatWhoseSessionHasEndedGetsANewOneAndKeepsItsHistory() {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/say one");
        await().until(() -> talk.told().contains("assistant: one"));
        owner.delete("/agent-sessions/" + talk.sessionId() + "?wait=10").expect(200);

        talk.say("Hello again");
        await().atMost(Duration.ofSeconds(5)).until(() -> talk.told().size() == 4);

        JsonNode session = talk.whole().get("session");
        assertThat(session.get("id").asText()).isNotEqualTo(talk.sessionId());
        assertThat(talk.told().getLast()).contains("2 messages before it");
    }

    @Test
    void manyFirstMessagesAtOnceMakeOneSessionAndNoneIsLost() {
        for (int i = 0; i < 5; i++) {
            Talk talk = Talk.begin(owner, workspace);
            owner.delete("/agent-sessions/" + talk.sessionId() + "?wait=10").expect(200);

            AtOnce.run(8, n -> talk.say("/say " + n));

            await().atMost(Duration.ofSeconds(10))
                    .until(() -> talk.told().stream()
                                    .filter(line -> line.startsWith("assistant: "))
                                    .count()
                            == 8);
            assertThat(owner.get("/workspaces/" + workspace + "/agent-sessions?limit=200")
                            .expect(200)
                            .findValuesAsText("chat_id"))
                    .filteredOn(talk.chatId()::equals)
                    .hasSize(1);
        }
    }

    @Test
    void aFailureIsToldInWordsForPeople() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/fail The model has had enough");
            assertThat(stream.await(event -> event.type().equals("error")).text("message"))
                    .isEqualTo("The model has had enough");
            stream.awaitStatus("error");
            assertThat(stream.statuses()).endsWith("error");
            assertThat(stream.isEnded()).isFalse();
        }
        assertThat(talk.session().get("error_message").asText()).isEqualTo("The model has had enough");
        assertThat(talk.told()).contains("assistant: one");

        Talk broken = Talk.begin(owner, workspace);
        broken.say("/break");
        awaitStatus(broken, "error");
        assertThat(broken.session().get("error_message").asText())
                .isEqualTo("Something went wrong while the agent was thinking");
    }

    @Test
    void whoJoinsInTheMiddleSeesTheTextSoFarOnce() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream first = talk.stream()) {
            talk.say("/repeat 20 a", "/wait 1s", "/repeat 20 b");
            first.await(event -> event.type().equals("session_init"));
            await().until(() -> Talk.shown(first, null).equals("a".repeat(20)));
            String last = first.lastId();
            try (SseStream joined = talk.stream();
                    SseStream resumed = talk.stream("Last-Event-ID", last);
                    SseStream all = owner.stream("/workspaces/" + workspace + "/events")) {
                SseStream.Event so = joined.await(event -> event.type().equals("chunk"));
                assertThat(so.text("text")).isEqualTo("a".repeat(20));
                assertThat(resumed.await(event -> event.type().equals("chunk")).text("text"))
                        .isEqualTo("a".repeat(20));
                for (SseStream stream : List.of(first, joined, resumed, all)) {
                    SseStream.Event done = stream.await(event ->
                            event.type().equals("done") && event.text("chat_id").equals(talk.chatId()));
                    assertThat(Talk.shown(stream, done.text("turn_id")))
                            .isEqualTo(done.text("message"))
                            .isEqualTo("a".repeat(20) + "b".repeat(20));
                }
            }
        }
    }

    @Test
    void aQuestionWaitsForItsAnswer() {
        Talk talk = Talk.begin(owner, workspace);
        String schema = "{\"type\":\"integer\",\"minimum\":1}";
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/ask How many? | " + schema, "/say two");
            SseStream.Event asked = stream.await(event -> event.type().equals("question_pending"));
            assertThat(asked.text("question")).isEqualTo("How many?");
            assertThat(asked.data().get("schema").toString()).isEqualTo(schema);
            stream.awaitStatus("idle");
            assertThat(talk.session().get("blocked_on").asText()).isEqualTo("How many?");
            JsonNode waiting = owner.get("/workspaces/" + workspace + "/attention?limit=500")
                    .expect(200);
            assertThat(waiting.get("items").findValuesAsText("question_id")).contains(asked.text("question_id"));

            talk.answer("\"many\"").expectProblem(400, "VALIDATION_ERROR");
            talk.answer("0").expectProblem(400, "VALIDATION_ERROR");
            assertThat(talk.answer("7").expect(202).get("question_id").asText()).isEqualTo(asked.text("question_id"));
            talk.answer("7").expect(202);
            talk.answer("8").expectProblem(409, "CONFLICT");

            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            assertThat(done.text("message")).contains("The answer is: 7").endsWith("two");
        }
        assertThat(talk.session().get("blocked_on").isNull()).isTrue();
        assertThat(talk.session().at("/usage/turns").asInt()).isEqualTo(1);
        assertThat(owner.get("/workspaces/" + workspace + "/attention?limit=500")
                        .expect(200)
                        .get("items")
                        .findValuesAsText("session_id"))
                .doesNotContain(talk.sessionId());
    }

    @Test
    void whoAnswersWithAMessageTakesTheQuestionBack() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/ask How many?", "/say two");
            stream.await(event -> event.type().equals("question_pending"));
            talk.say("/say three");
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("three"));
        }
        talk.answer("\"x\"").expectProblem(409, "CONFLICT");
        assertThat(talk.told())
                .containsExactly(
                        "user: /say one\n/ask How many?\n/say two",
                        "question: How many?",
                        "assistant: one",
                        "user: /say three",
                        "assistant: three");
        assertThat(talk.whole().at("/messages/1/state").asText()).isEqualTo("withdrawn");
    }

    @Test
    void stopTakesAQuestionBackToo() {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/ask How many?");
        await().until(() -> !talk.events("question_pending").isEmpty());
        talk.stop().expect(200);
        assertThat(talk.session().get("blocked_on").isNull()).isTrue();
        talk.answer("\"x\"").expectProblem(409, "CONFLICT");
        talk.say("/say one");
        await().until(() -> talk.told().contains("assistant: one"));
    }

    @Test
    void aBudgetPausesItAndItsOwnerMayRaiseIt() {
        Talk talk = Talk.begin(owner, workspace, "{\"budget\":{\"max_turns\":1}}");
        talk.say("/say one");
        await().until(() -> talk.told().contains("assistant: one"));
        talk.say("/say two");
        awaitStatus(talk, "paused");
        assertThat(talk.session().at("/pause/reason").asText()).isEqualTo("budget: 1 of 1 turns are used");
        talk.command("resume").expect(200);
        await().until(() -> talk.events("agent_status").stream()
                        .filter(data -> data.get("status").asText().equals("paused"))
                        .count()
                == 2);

        owner.patch("/agent-sessions/" + talk.sessionId(), "{\"budget\":{\"max_turns\":5}}")
                .expect(200);
        talk.command("resume").expect(200);
        await().until(() -> talk.told().contains("assistant: two"));
        awaitStatus(talk, "idle");
    }

    @Test
    void aBudgetOfTokensOrTimeHoldsItInTheMiddle() {
        Talk tokens = Talk.begin(owner, workspace, "{\"budget\":{\"max_tokens\":10}}");
        tokens.say("/say one", "/usage 5 6", "/say two");
        awaitStatus(tokens, "paused");
        assertThat(tokens.session().at("/pause/reason").asText()).startsWith("budget: ");
        owner.patch("/agent-sessions/" + tokens.sessionId(), "{\"budget\":null}")
                .expect(200);
        tokens.command("resume").expect(200);
        await().until(() -> tokens.told().contains("assistant: one\ntwo"));

        Talk time = Talk.begin(owner, workspace, "{\"budget\":{\"max_seconds\":1}}");
        time.say("/say one", "/wait 30s");
        awaitStatus(time, "paused");
        assertThat(time.session().at("/pause/reason").asText()).startsWith("budget: ");
    }

    @Test
    void aLongAnswerIsStreamedAndATooLongOneFails() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/flood 200");
            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            assertThat(Talk.shown(stream, null)).isEqualTo(done.text("message")).hasSizeGreaterThan(190_000);
        }
        talk.say("/flood 100000");
        awaitStatus(talk, "error");
        assertThat(talk.session().get("error_message").asText()).contains("longer than");
    }

    @ParameterizedTest
    @ValueSource(strings = {"yield", "complete", "fail"})
    void whatPeopleEndWithoutTheAgentStopsItToo(String command) {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/delay 50ms", "/repeat 400 a");
            awaitChunk(stream, "a");
            owner.post(
                            "/agent-sessions/" + talk.sessionId() + "/" + command,
                            command.equals("fail") ? "{\"error_message\":\"no\"}" : "{}")
                    .expect(200);
            await().atMost(Duration.ofSeconds(5))
                    .until(() -> !talk.events("stopped").isEmpty());
        }
        talk.say("/say two");
        await().atMost(Duration.ofSeconds(5)).until(() -> talk.told().contains("assistant: two"));
    }

    @Test
    void aPauseWhileItWaitsForAnAnswerLosesNeither() {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/ask How many?");
        await().until(() -> !talk.events("question_pending").isEmpty());
        talk.command("pause").expect(200);
        talk.answer("\"7\"").expect(202);
        assertThat(talk.session().get("status").asText()).isEqualTo("paused");
        talk.command("resume").expect(200);
        await().until(() -> talk.told().getLast().contains("The answer is: \"7\""));
        awaitStatus(talk, "idle");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"type\":\"string\",\"pattern\":\"(\"}",
                "{\"type\":\"string\",\"pattern\":\"(a|aa)+$\"}",
                "{\"$ref\":\"#\"}"
            })
    void aSchemaThatCouldTakeForEverDoesNot(String schema) {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/ask How many? | " + schema);
        await().until(() -> !talk.events("question_pending").isEmpty());
        talk.answer("\"" + "a".repeat(50_000) + "b\"").expect(202);
        await().until(() -> talk.told().getLast().contains("The answer is: "));
    }

    @Test
    void itsLastStepIsNotLost() {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/say one", "/mode build");
        await().until(() -> talk.told().contains("assistant: one"));
        assertThat(talk.session().get("mode").asText()).isEqualTo("build");
    }

    @Test
    void theNextSessionIsBoundAsTheLastOne() {
        Talk talk = Talk.begin(owner, workspace, "{\"budget\":{\"max_turns\":3},\"labels\":{\"team\":\"a\"}}");
        owner.delete("/agent-sessions/" + talk.sessionId() + "?wait=10").expect(200);
        talk.say("/say one");
        JsonNode session = talk.whole().get("session");
        assertThat(session.get("id").asText()).isNotEqualTo(talk.sessionId());
        assertThat(session.at("/budget/max_turns").asInt()).isEqualTo(3);
        assertThat(session.at("/labels/team").asText()).isEqualTo("a");
    }

    /** Whatever meets whatever: it comes to rest in a state that it can be used in. */
    @Test
    void everythingAtOnceLeavesAnAgentThatAnswers() {
        for (int i = 0; i < 15; i++) {
            Talk talk = Talk.begin(owner, workspace);
            talk.say("/delay 1ms", "/repeat 200 a", "/ask Why?");
            List<Supplier<Api.Reply>> all = List.of(
                    talk::stop,
                    () -> talk.command("pause"),
                    () -> talk.command("resume"),
                    () -> talk.post("/say b", "interrupt"),
                    () -> talk.post("/say c", null),
                    talk::stop,
                    () -> talk.command("pause"));
            AtOnce.run(all.size(), n -> all.get(n).get());
            if (talk.session().get("status").asText().equals("paused")) {
                talk.command("resume");
            }
            talk.post("/say the end", "interrupt").expect(202);
            try {
                await().atMost(Duration.ofSeconds(10)).until(() -> talk.told().contains("assistant: the end"));
                awaitStatus(talk, "idle");
            } catch (ConditionTimeoutException e) {
                throw new AssertionError(
                        talk.session() + "\n" + talk.whole() + "\n" + owner.history(talk.sessionId()), e);
            }
        }
    }
}
