package ai.buildscale.agents.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a host says again, because it did not hear the answer: the same is the same success whenever and wherever it comes. */
@Tag("jvm")
class HostRepeatIT {
    private static Service service;
    private static Service other;

    private Api owner;
    private String workspace;
    private Talk talk;
    private Host host;

    @BeforeAll
    static void start() {
        service = Service.shared();
        other = Service.start(service.databaseUrl(), Map.of());
    }

    @AfterAll
    static void stop() {
        other.close();
    }

    @BeforeEach
    void anew() {
        owner = Api.user(service, "agent-host");
        workspace = owner.newWorkspace();
        talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
        host = Host.register(owner, "");
    }

    private JsonNode given(String message) {
        talk.say(message);
        return host.next();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "done|,\"message\":\"All of it\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}|,\"message\":\"Not"
                        + " that\"",
                "done||,\"usage\":{\"input_tokens\":1,\"output_tokens\":2}",
                "failed|,\"error\":\"No\"|,\"error\":\"Something else\"",
                "question|,\"question\":\"Why?\",\"schema\":{\"type\":\"string\",\"minLength\":1}|,\"question\":\"What?\"",
                "question|,\"question\":\"Why?\"|,\"question\":\"Why?\",\"schema\":{\"type\":\"string\"}",
                "stopped||,\"message\":\"A bit\"",
                "paused||,\"usage\":{\"input_tokens\":1,\"output_tokens\":2}"
            })
    void aResultIsTheSameSuccessWheneverItComes(String outcome, String more, String another) {
        String given = more == null ? "" : more;
        JsonNode work = given("One");
        host.tell(work, 4, Host.chunk("so far")).expect(200);
        String answer = first(work, outcome, given);
        Supplier<Api.Reply> again = () -> host.result(work, outcome, given);
        assertThat(again.get().text()).isEqualTo(answer);
        host.result(work, outcome, another).expectProblem(409, "CONFLICT");

        // it goes on, or the next one is taken
        if (outcome.equals("question")) {
            talk.answer("\"so\"").expect(202);
        } else if (!outcome.equals("paused")) {
            talk.say("Two");
        }
        JsonNode next = host.next();
        assertThat(again.get().text()).as("once the next is taken").isEqualTo(answer);
        assertThat(host.result(work, outcome, another).status()).isEqualTo(409);
        host.tell(work, 4, Host.chunk("so far")).expect(200);
        assertThat(host.tell(work, 5, Host.chunk("more")).status()).isEqualTo(409);
        assertThat(host.beat(work).get("lease_extended").asBoolean()).isFalse();

        host.result(next, "done", "").expect(200);
        assertThat(again.get().text()).as("once the next is done").isEqualTo(answer);
        talk.say("Three");
        JsonNode last = host.next();
        String session = last.get("session_id").asText();
        owner.delete("/agent-sessions/" + session).expect(200);
        assertThat(again.get().text()).as("once the session has ended").isEqualTo(answer);
        assertThat(new Host(owner.at(other), host.id())
                        .result(work, outcome, given)
                        .text())
                .as("at another server")
                .isEqualTo(answer);
        Host stranger = Host.register(owner, "");
        stranger.result(work, outcome, given).expectProblem(409, "FENCED");
        assertThat(owner.get("/workspaces/" + workspace + "/usage")
                        .expect(200)
                        .at("/usage/output_tokens")
                        .asInt())
                .as("counted once")
                .isEqualTo(given.contains("usage") ? 2 : 0);
        assertThat(talk.told().stream().filter(said -> said.startsWith("question: ")))
                .hasSize(outcome.equals("question") ? 1 : 0);
    }

    private String first(JsonNode work, String outcome, String given) {
        if (outcome.equals("stopped")) {
            talk.stop().expect(200);
        }
        Api.Reply reply = host.result(work, outcome, given);
        reply.expect(200);
        return reply.text();
    }

    @Test
    void whatIsSaidAtOnceBySeveralIsSaidOnce() {
        JsonNode work = given("One");
        List<Api.Reply> replies = AtOnce.run(
                6,
                n -> new Host(n % 2 == 0 ? owner : owner.at(other), host.id())
                        .result(
                                work,
                                "done",
                                ",\"message\":\"Once\",\"usage\":{\"input_tokens\":0,\"output_tokens\":7}"));

        assertThat(replies)
                .allSatisfy(reply -> reply.expect(200))
                .extracting(Api.Reply::text)
                .containsOnly(replies.getFirst().text());
        assertThat(talk.told()).containsExactly("user: One", "assistant: Once");
        assertThat(talk.session().at("/usage/output_tokens").asInt()).isEqualTo(7);
    }

    @Test
    void theFieldsOfASchemaHaveNoOrder() {
        JsonNode work = given("One");
        host.result(
                        work,
                        "question",
                        ",\"question\":\"Why?\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}}}")
                .expect(200);
        host.result(
                        work,
                        "question",
                        ",\"question\":\"Why?\",\"schema\":{\"properties\":{\"b\":{},\"a\":{}},\"type\":\"object\"}")
                .expect(200);
        host.result(work, "question", ",\"question\":\"Why?\",\"schema\":{\"type\":\"object\"}")
                .expectProblem(409, "CONFLICT");
    }

    @Test
    void aResultThatWasNeverAcceptedIsNot() {
        JsonNode work = given("One");
        host.result(work, "paused", "").expect(200);
        JsonNode again = Host.register(owner, "").next();
        assertThat(again.get("turn_id")).isEqualTo(work.get("turn_id"));
        host.result(work, "done", "").expectProblem(409, "FENCED");
        host.result(work, "paused", "").expect(200);
    }

    /** Of a turn that its session took along its host may still say what it has used, whatever has become of it. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "stopped|''",
                "paused|''",
                "done|,\"message\":\"All of it\"",
                "question|,\"question\":\"Which?\"",
                "failed|,\"error\":\"no\"",
            })
    void aTurnThatEndedWithItsSessionIsStoppedOnce(String outcome, String more) {
        JsonNode work = given("One");
        host.tell(work, 1, Host.chunk("one") + ",{\"event\":\"usage\",\"input_tokens\":3,\"output_tokens\":4}")
                .expect(200);
        owner.delete("/agent-sessions/" + talk.sessionId()).expect(200);

        assertThat(host.wanted(work)).isEqualTo("cancelled");
        assertThat(host.tell(work, 2, Host.chunk("two"))
                        .expect(200)
                        .get("desired_status")
                        .asText())
                .isEqualTo("cancelled");
        String usage = ",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}" + more;
        String answer = host.result(work, outcome, usage).text();
        assertThat(host.result(work, outcome, usage)
                        .expect(200)
                        .get("desired_status")
                        .asText())
                .isEqualTo("cancelled");
        assertThat(host.result(work, outcome, usage).text()).isEqualTo(answer);
        host.result(work, "failed", ",\"error\":\"another\"").expectProblem(409, "CONFLICT");

        assertThat(talk.session().at("/usage/input_tokens").asInt()).isEqualTo(4);
        assertThat(talk.session().at("/usage/output_tokens").asInt()).isEqualTo(5);
        assertThat(talk.told()).containsExactly("user: One", "assistant: one");
        assertThat(owner.history(talk.sessionId()).getLast().at("/data/status").asText())
                .isEqualTo("cancelled");
    }

    /** Each turn is given once, by whichever server. */
    @Test
    void aHostMayAskAnyServer() {
        Host there = new Host(owner.at(other), host.id());
        CompletableFuture<JsonNode> waiting = CompletableFuture.supplyAsync(there::next);
        await().pollDelay(Duration.ofMillis(300)).until(() -> true);
        long said = System.nanoTime();
        talk.say("Go");
        JsonNode work = waiting.join();
        assertThat(Duration.ofNanos(System.nanoTime() - said)).isLessThan(Duration.ofMillis(900));
        host.tell(work, Host.chunk("one")).expect(200);
        there.result(work, "done", "").expect(200);
        assertThat(talk.told()).endsWith("assistant: one");

        for (int i = 0; i < 40; i++) {
            Talk.begin(owner, workspace, "{\"hosting\":\"external\"}").say("Go");
        }
        List<String> given = new ArrayList<>();
        AtOnce.run(8, n -> {
                    List<JsonNode> mine = new ArrayList<>();
                    for (int i = 0; i < 10; i++) {
                        mine.addAll((n % 2 == 0 ? host : there).ask(1, 1));
                    }
                    return mine;
                })
                .forEach(
                        mine -> mine.forEach(one -> given.add(one.get("chat_id").asText())));
        assertThat(given).hasSize(40).doesNotHaveDuplicates();
    }
}
