package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.hamcrest.Matchers.is;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.host.Host;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Agents on hosts outside the service: what they are given, what they say, what they are told. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class HostTest {
    private static final String EXTERNAL = "{\"hosting\":\"external\",\"goal\":\"Be useful\"}";
    private static final String COURSE = "message running agent_task session_init ";

    private final Api owner = Api.newUser("agent-host");
    private final String workspace = owner.newWorkspace();

    private Talk talk() {
        return Talk.begin(owner, workspace, EXTERNAL);
    }

    private Host host() {
        return Host.register(owner, "");
    }

    private static void awaitStatus(Talk talk, String status) {
        await().atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> talk.session().get("status").asText().equals(status));
    }

    @Test
    void aTurnIsGivenToldAndEnded() {
        Talk talk = talk();
        Host host = host();
        try (SseStream stream = talk.stream()) {
            String message = talk.say("Hello there");
            JsonNode work = host.next();

            assertThat(work.get("session_id").asText()).isEqualTo(talk.sessionId());
            assertThat(work.get("chat_id").asText()).isEqualTo(talk.chatId());
            assertThat(work.get("workspace_id").asText()).isEqualTo(workspace);
            assertThat(work.get("message_id").asText()).isEqualTo(message);
            assertThat(work.get("epoch").asInt()).isEqualTo(2);
            assertThat(work.get("attempt").asInt()).isEqualTo(1);
            assertThat(work.get("goal").asText()).isEqualTo("Be useful");
            assertThat(work.get("said").asText()).isEmpty();
            assertThat(work.get("ttl_seconds").asInt()).isEqualTo(30);
            assertThat(work.at("/history/0/kind").asText()).isEqualTo("user");
            assertThat(work.at("/history/0/content").asText()).isEqualTo("Hello there");
            assertThat(host.ask(0, 10)).as("it is given once").isEmpty();
            assertThat(talk.session().get("status").asText()).isEqualTo("running");

            JsonNode lease = host.tell(work, """
                    {"event":"thought","text":"hm"},
                    {"event":"task","task":"Looking"},
                    {"event":"chunk","text":"One \\uD83D\\uDE42"},{"event":"chunk","text":" two"},
                    {"event":"call","call_id":"c1","tool":"look","args":{"at":"it"}},
                    {"event":"observation","call_id":"c1","output":"seen","success":true},
                    {"event":"chunk","text":" three"},
                    {"event":"mode","mode":"plan"},
                    {"event":"usage","input_tokens":3,"output_tokens":4}""").expect(200);
            assertThat(lease.get("lease_extended").asBoolean()).isTrue();
            assertThat(lease.get("ttl_seconds").asInt()).isEqualTo(30);
            assertThat(lease.get("desired_status").asText()).isEqualTo("running");
            assertThat(lease.get("epoch").asInt()).isEqualTo(2);
            host.tell(work, Host.chunk(" four")).expect(200);
            host.result(work, "done", ",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}")
                    .expect(200);
            host.result(work, "done", "").expect(200);
            host.result(work, "failed", ",\"error\":\"no\"").expectProblem(409, "CONFLICT");
            host.tell(work, Host.chunk("late")).expectProblem(409, "CONFLICT");

            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            stream.awaitStatus("idle");
            assertThat(Talk.course(stream))
                    .isEqualTo(COURSE + "thought agent_task chunk call observation chunk mode_changed chunk done idle");
            assertThat(done.text("message"))
                    .isEqualTo(Talk.shown(stream, null))
                    .isEqualTo("One \uD83D\uDE42 two three four");
            assertThat(done.data().at("/usage/input_tokens").asInt()).isEqualTo(4);
        }
        JsonNode session = talk.session();
        assertThat(session.get("current_task").asText()).isEqualTo("Looking");
        assertThat(session.get("mode").asText()).isEqualTo("plan");
        assertThat(session.at("/usage/output_tokens").asInt()).isEqualTo(5);
        assertThat(session.at("/usage/turns").asInt()).isEqualTo(1);
        assertThat(talk.told())
                .containsExactly(
                        "user: Hello there",
                        "thought: hm",
                        "call: look",
                        "observation: seen",
                        "assistant: One \uD83D\uDE42 two three four");
        assertThat(talk.whole().at("/messages/2/data/offset").asInt()).isEqualTo(10);

        talk.say("And now?");
        JsonNode second = host.next();
        assertThat(second.get("epoch").asInt()).isEqualTo(3);
        assertThat(second.get("history")).hasSize(6);
        host.result(second, "done", ",\"message\":\"All at once\"").expect(200);
        assertThat(talk.told()).endsWith("assistant: All at once");
    }

    @Test
    void hostsThatClaimAtOnceNeverGetTheSameTurn() {
        List<Talk> talks = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            talks.add(talk());
        }
        List<Host> hosts = List.of(host(), host());
        talks.forEach(talk -> talk.say("Go"));
        List<String> given = new ArrayList<>();
        AtOnce.run(16, n -> {
                    List<JsonNode> mine = new ArrayList<>();
                    List<JsonNode> some = hosts.get(n % 2).ask(0, 3);
                    while (!some.isEmpty()) {
                        mine.addAll(some);
                        some = hosts.get(n % 2).ask(1, 3);
                    }
                    return mine;
                })
                .forEach(mine ->
                        mine.forEach(work -> given.add(work.get("chat_id").asText())));
        assertThat(given)
                .containsExactlyInAnyOrderElementsOf(
                        talks.stream().map(Talk::chatId).toList());
    }

    @Test
    void aHostGetsNoMoreThanItHasRoomFor() {
        Host host = Host.register(owner, ",\"capacity\":5");
        for (int i = 0; i < 12; i++) {
            talk().say("Go");
        }
        List<JsonNode> all = new ArrayList<>();
        AtOnce.run(8, _ -> host.ask(0, 10)).forEach(all::addAll);
        assertThat(all).hasSizeBetween(1, 5);
        while (all.size() < 5) {
            all.addAll(host.ask(1, 10));
        }
        assertThat(host.ask(1, 10)).isEmpty();
        owner.given().get(host.path()).then().statusCode(200).body("host.turns", is(5));

        host.result(all.getFirst(), "done", "").expect(200);
        assertThat(host.ask(5, 10)).hasSize(1);
    }

    @Test
    void whoAsksWaitsUntilThereIsWork() {
        Host host = host();
        Talk talk = talk();
        long begun = System.nanoTime();
        assertThat(host.ask(1, 1)).isEmpty();
        assertThat(System.nanoTime() - begun).isGreaterThan(900_000_000L);

        CompletableFuture<JsonNode> waiting = CompletableFuture.supplyAsync(host::next);
        await().pollDelay(Duration.ofMillis(300)).until(() -> true);
        assertThat(waiting).isNotDone();
        long said = System.nanoTime();
        talk.say("Go");
        assertThat(waiting.join().get("chat_id").asText()).isEqualTo(talk.chatId());
        assertThat(Duration.ofNanos(System.nanoTime() - said)).isLessThan(Duration.ofMillis(900));
    }

    @Test
    void workComesAsAStreamToo() {
        Host host = host();
        Talk talk = talk();
        try (SseStream stream = owner.stream(host.path() + "/work")) {
            assertThat(stream.header("content-type")).startsWith("text/event-stream");
            talk.say("One");
            SseStream.Event work = stream.await(event -> event.type().equals("work"));
            assertThat(work.text("chat_id")).isEqualTo(talk.chatId());
            host.result(work.data(), "done", ",\"message\":\"1\"").expect(200);
            talk.say("Two");
            stream.await(event -> event.data().at("/history").size() == 3);
            assertThat(stream.isEnded()).isFalse();
        }
        await().atMost(Duration.ofSeconds(5)).until(() -> {
            Talk another = talk();
            another.say("Three");
            return host.ask(1, 1).size() == 1;
        });
        owner.given().delete(host.path()).then().statusCode(204);
        owner.given().get(host.path() + "/work").then().statusCode(404);
    }

    @Test
    void aPauseIsToldAndKeepsWhatWasSaid() {
        Talk talk = talk();
        Host host = host();
        try (SseStream stream = talk.stream()) {
            talk.say("Go");
            JsonNode work = host.next();
            host.tell(work, Host.chunk("one ")).expect(200);
            talk.command("pause").expect(200);

            JsonNode beat = host.beat(work);
            assertThat(beat.get("desired_status").asText()).isEqualTo("paused");
            assertThat(beat.get("lease_extended").asBoolean()).isFalse();
            JsonNode late = host.tell(work, Host.chunk("late")).expect(200);
            assertThat(late.get("desired_status").asText()).isEqualTo("paused");
            host.result(work, "paused", "").expect(200);
            host.result(work, "paused", "").expect(200);
            SseStream.Event stopped = stream.await(event -> event.type().equals("stopped"));
            assertThat(stopped.text("reason")).isEqualTo("paused");
            assertThat(stopped.text("partial_response")).isEqualTo("one ");
            assertThat(host.ask(0, 1)).isEmpty();

            talk.command("resume").expect(200);
            JsonNode again = host.next();
            assertThat(again.get("turn_id")).isEqualTo(work.get("turn_id"));
            assertThat(again.get("epoch").asInt()).isEqualTo(3);
            assertThat(again.get("attempt").asInt()).isEqualTo(1);
            assertThat(again.get("said").asText()).isEqualTo("one ");
            host.tell(work, Host.chunk("late")).expectProblem(409, "FENCED");
            host.tell(again, Host.chunk("two")).expect(200);
            host.result(again, "done", "").expect(200);
            assertThat(stream.await(event -> event.type().equals("done")).text("message"))
                    .isEqualTo("one two");
            assertThat(Talk.shown(stream, null)).isEqualTo("one two");
        }
    }

    @Test
    void aHostMayLetGoOfATurnThatIsNotPaused() {
        Talk talk = talk();
        Host host = host();
        talk.say("Go");
        JsonNode work = host.next();
        host.result(work, "paused", "").expect(200);
        host.result(work, "paused", "").expect(200);
        JsonNode again = host().next();
        assertThat(again.get("turn_id")).isEqualTo(work.get("turn_id"));
        assertThat(again.get("attempt").asInt()).isEqualTo(1);
    }

    @Test
    void aStopAndACancelAreTold() {
        Talk talk = talk();
        Host host = host();
        talk.say("Go");
        JsonNode work = host.next();
        assertThat(host.wanted(work)).isEqualTo("running");
        host.tell(work, Host.chunk("one")).expect(200);
        talk.stop().expect(200);
        assertThat(host.wanted(work)).isEqualTo("idle");
        host.result(work, "stopped", "").expect(200);
        assertThat(talk.session().get("status").asText()).isEqualTo("idle");
        assertThat(talk.told()).endsWith("assistant: one");

        talk.say("Again");
        JsonNode second = host.next();
        owner.given().delete("/agent-sessions/{id}", talk.sessionId()).then().statusCode(200);
        assertThat(host.wanted(second)).isEqualTo("cancelled");
        assertThat(host.tell(second, Host.chunk("x"))
                        .expect(200)
                        .get("desired_status")
                        .asText())
                .isEqualTo("cancelled");
        host.result(second, "stopped", "").expect(200);
        assertThat(talk.session().get("status").asText()).isEqualTo("cancelled");

        talk.say("A new session");
        JsonNode third = host.next();
        assertThat(third.get("session_id").asText()).isNotEqualTo(talk.sessionId());
        host.result(third, "failed", ",\"error\":\"The GPU is on fire\"").expect(200);
        assertThat(talk.whole().at("/session/error_message").asText()).isEqualTo("The GPU is on fire");
    }

    @Test
    void anInterruptStopsTheTurnAndGoesFirst() {
        Talk talk = talk();
        Host host = host();
        talk.say("One");
        JsonNode work = host.next();
        talk.say("Two");
        talk.post("Three", "interrupt").expect(202);
        assertThat(host.wanted(work)).isEqualTo("idle");
        host.result(work, "stopped", "").expect(200);
        JsonNode next = host.next();
        assertThat(next.at("/history/1/content").asText()).isEqualTo("Three");
    }

    @Test
    void aQuestionWaitsAndItsAnswerIsWork() {
        Talk talk = talk();
        Host host = host();
        talk.say("Go");
        JsonNode work = host.next();
        host.tell(work, Host.chunk("one ")).expect(200);
        host.result(work, "question", "").expectProblem(400, "VALIDATION_ERROR");
        host.result(work, "question", ",\"question\":\"How many?\",\"schema\":{\"type\":\"integer\"}")
                .expect(200);
        host.result(work, "question", ",\"question\":\"How many?\"").expect(200);
        assertThat(talk.session().get("blocked_on").asText()).isEqualTo("How many?");
        talk.answer("\"x\"").expectProblem(400, "VALIDATION_ERROR");
        talk.answer("7").expect(202);
        JsonNode again = host.next();
        assertThat(again.get("turn_id")).isEqualTo(work.get("turn_id"));
        assertThat(again.get("epoch").asInt()).isEqualTo(3);
        assertThat(again.at("/history/2/kind").asText()).isEqualTo("answer");
        assertThat(again.at("/history/2/content").asText()).isEqualTo("7");
        host.tell(again, Host.chunk("two")).expect(200);
        host.result(again, "done", "").expect(200);
        assertThat(talk.told()).endsWith("assistant: one two");

        talk.say("More");
        JsonNode second = host.next();
        host.result(second, "question", ",\"question\":\"Why?\"").expect(200);
        talk.stop().expect(200);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> talk.session().get("blocked_on").isNull());
        talk.answer("1").expectProblem(409, "CONFLICT");
        talk.say("On we go");
        assertThat(host.next().get("turn_id")).isNotEqualTo(second.get("turn_id"));
    }

    @Test
    void aRequestThatIsRepeatedSaysNothingTwice() {
        Talk talk = talk();
        Host host = host();
        talk.say("Go");
        JsonNode work = host.next();
        host.tell(work, 1, Host.chunk("one ")).expect(200);
        host.tell(work, 1, Host.chunk("one ")).expect(200);
        host.tell(work, 2, Host.chunk("two")).expect(200);
        host.result(work, "done", "").expect(200);
        assertThat(talk.told()).endsWith("assistant: one two");
    }

    @Test
    void aBudgetPausesAnAgentElsewhereToo() {
        Talk talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\",\"budget\":{\"max_tokens\":10}}");
        Host host = host();
        talk.say("Go");
        JsonNode work = host.next();
        JsonNode lease = host.tell(
                        work, Host.chunk("one") + ",{\"event\":\"usage\",\"input_tokens\":5,\"output_tokens\":6}")
                .expect(200);
        assertThat(lease.get("desired_status").asText()).isEqualTo("paused");
        host.result(work, "paused", "").expect(200);
        assertThat(talk.session().at("/pause/reason").asText()).startsWith("budget: ");
        owner.given()
                .body("{\"budget\":null}")
                .patch("/agent-sessions/{id}", talk.sessionId())
                .then()
                .statusCode(200);
        talk.command("resume").expect(200);
        assertThat(host.next().get("said").asText()).isEqualTo("one");
    }

    @Test
    void aHostThatLeavesGivesItsTurnsBackAtOnce() {
        Talk talk = talk();
        Host first = host();
        talk.say("Go");
        JsonNode work = first.next();
        first.tell(work, Host.chunk("one ")).expect(200);
        owner.given().delete(first.path()).then().statusCode(204);
        first.tell(work, Host.chunk("late")).expectProblem(404, "NOT_FOUND");
        JsonNode again = host().next();
        assertThat(again.get("turn_id")).isEqualTo(work.get("turn_id"));
        assertThat(again.get("epoch").asInt()).isEqualTo(3);
        assertThat(again.get("attempt").asInt()).isEqualTo(1);
        assertThat(again.get("said").asText()).isEqualTo("one ");
    }

    @Test
    void aHostServesTheWorkspacesOfItsUser() {
        Api stranger = Api.newUser("agent-host");
        Api member = Api.newUser("agent-host");
        Api viewer = Api.newUser("agent-host");
        Api operator = Api.newUser("agent-host", "admin");
        owner.addMember(workspace, member, "member");
        owner.addMember(workspace, viewer, "viewer");
        Talk planner =
                Talk.begin(owner, workspace, "{\"hosting\":\"external\",\"agent_type\":\"planner\",\"model\":\"big\"}");
        planner.say("Go");

        assertThat(Host.register(stranger, "").ask(0, 1)).isEmpty();
        assertThat(Host.register(viewer, "").ask(0, 1)).isEmpty();
        assertThat(Host.register(member, ",\"agent_types\":[\"builder\"]").ask(0, 1))
                .isEmpty();
        assertThat(Host.register(member, ",\"models\":[\"small\"]").ask(0, 1)).isEmpty();
        assertThat(Host.register(member, ",\"agent_types\":[\"planner\"],\"models\":[\"small\",\"big\"]")
                        .ask(1, 1))
                .hasSize(1);
        Talk another = talk();
        another.say("Go");
        await().until(() -> Host.register(operator, "").ask(1, 100).stream()
                .anyMatch(work -> work.get("chat_id").asText().equals(another.chatId())));
    }

    @Test
    void aHostIsItsUsersAlone() {
        Api stranger = Api.newUser("agent-host");
        Host host = host();
        Talk talk = talk();
        talk.say("Go");
        JsonNode work = host.next();
        Host stolen = new Host(stranger, host.id());

        register(Api.newUser()).then().spec(problem(403, "FORBIDDEN"));
        stolen.tell(work, Host.chunk("x")).expectProblem(403, "FORBIDDEN");
        stolen.result(work, "done", "").expectProblem(403, "FORBIDDEN");
        ask(stranger, host).then().spec(problem(403, "FORBIDDEN"));
        beat(stranger, host).then().spec(problem(403, "FORBIDDEN"));
        stranger.given().get(host.path()).then().spec(problem(403, "FORBIDDEN"));
        stranger.given().delete(host.path()).then().spec(problem(403, "FORBIDDEN"));
        assertThat(stranger.stream(host.path() + "/work").status()).isEqualTo(403);
        stranger.given().get("/agent-hosts/{id}", UUID.randomUUID()).then().spec(problem(404, "NOT_FOUND"));
        Host own = Host.register(stranger, "");
        own.tell(work, Host.chunk("x")).expectProblem(409, "FENCED");
        assertThat(own.wanted(work)).isEqualTo("idle");
        stranger.given().get("/agent-hosts").then().statusCode(200).body("count", is(1));
        Api admin = Api.newUser("admin");
        admin.given().get(host.path()).then().statusCode(200);
        ask(admin, host).then().spec(problem(403, "FORBIDDEN"));
        JsonNode unknown = host.beat(Api.JSON
                .createObjectNode()
                .put("turn_id", UUID.randomUUID().toString())
                .put("epoch", 1));
        assertThat(unknown.get("desired_status").asText()).isEqualTo("idle");
        assertThat(unknown.get("epoch").isNull()).isTrue();
        beat(owner, host).then().statusCode(200);
    }

    private static Response register(Api user) {
        return user.given("k").body(Map.of("name", "h")).post("/agent-hosts");
    }

    private static Response ask(Api user, Host host) {
        return user.given().body("{}").post(host.path() + "/work?wait=0");
    }

    private static Response beat(Api user, Host host) {
        return user.given().body("{}").post(host.path() + "/heartbeat");
    }

    @Test
    void registeringIsIdempotent() {
        Response first = register(owner);
        first.then().statusCode(201);

        register(owner).then().body(is(first.asString()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"event\":\"chunk\"}|events[0].text",
                "{\"event\":\"chunk\",\"text\":\"a\"},{\"event\":\"call\",\"tool\":\"t\"}|events[1].call_id",
                "{\"event\":\"call\",\"call_id\":\"c\",\"tool\":\"t\",\"args\":[]}|events[0].args",
                "{\"event\":\"observation\",\"call_id\":\"c\"}|events[0].output",
                "{\"event\":\"usage\",\"input_tokens\":-1,\"output_tokens\":0}|events[0].input_tokens",
                "{\"event\":\"usage\",\"input_tokens\":1}|events[0].output_tokens",
                "{\"event\":\"mode\",\"mode\":\"x\"}|events[0].mode",
                "{\"event\":\"nope\"}|events[0].event",
                "{\"event\":\"task\",\"task\":\"t\",\"more\":1}|events[0].more",
                "null|events[0]",
                "''|events"
            })
    void whatIsWrongIsNamed(String events, String field) {
        Talk talk = talk();
        Host host = host();
        talk.say("Go");
        JsonNode work = host.next();
        JsonNode problem = host.tell(work, events).expectProblem(400, "VALIDATION_ERROR");
        assertThat(problem.get("fields").properties().iterator().next().getKey())
                .startsWith(field);
        host.result(work, "done", "").expect(200);
        assertThat(talk.told()).endsWith("assistant: ");
    }

    /** The one in src/docs/hosts.md, as people start it. */
    @Test
    void theExampleRuns() throws IOException {
        Process example = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "src/dev/java/ai/buildscale/agents/dev/ExampleHost.java",
                        owner.service().url(""),
                        owner.token())
                .redirectErrorStream(true)
                .start();
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(example.getInputStream(), StandardCharsets.UTF_8))) {
            assertThat(out.readLine()).startsWith("Registered as ");
            Talk talk = talk();
            try (SseStream stream = talk.stream()) {
                talk.say("Say \"this\" again, \uD83D\uDE42");
                assertThat(stream.await(event -> event.type().equals("done")).text("message"))
                        .isEqualTo("You said: Say \"this\" again, \uD83D\uDE42");
                talk.say("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen");
                stream.await(event ->
                        event.type().equals("chunk") && event.text("text").contains("three"));
                talk.command("pause").expect(200);
                stream.await(event -> event.type().equals("stopped"));
                talk.command("resume").expect(200);
                stream.await(event -> event.type().equals("done")
                        && event.text("message")
                                .endsWith("one two three four five six seven eight nine ten eleven"
                                        + " twelve thirteen fourteen fifteen"));
            }
            awaitStatus(talk, "idle");
        } finally {
            example.destroy();
        }
    }
}
