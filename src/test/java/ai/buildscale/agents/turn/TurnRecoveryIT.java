package ai.buildscale.agents.turn;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Agents on servers that come and go: the second and third have them, the first is where people are. */
class TurnRecoveryIT {
    private static final String WORDS = "one two three four five six seven eight nine ten";

    private Servers servers;
    private Api owner;
    private String workspace;

    @BeforeEach
    void start() {
        servers = Servers.start(2, Map.of());
        owner = Api.user(servers.get(1));
        workspace = owner.newWorkspace();
    }

    @AfterEach
    void stop() {
        servers.close();
    }

    /** A chat whose agent lives there. */
    private Talk on(int number, String body) {
        while (true) {
            Talk talk = Talk.begin(owner, workspace, body);
            if (talk.session().get("server_hostname").asText().equals("s" + number)) {
                return talk;
            }
        }
    }

    private static void awaitWords(SseStream stream, String words) {
        await().until(() -> Talk.shown(stream, null).contains(words));
    }

    @Test
    void whatIsSaidOnOneServerIsSeenOnAllAndCommandsReachIt() {
        Talk talk = on(2, "{}");
        try (SseStream here = talk.stream();
                SseStream there = talk.as(owner.at(servers.get(2))).stream()) {
            talk.say("/delay 30ms", WORDS);
            awaitWords(here, "two");
            assertThat(talk.command("pause").expect(200).at("/command/state").asText())
                    .isEqualTo("applied");
            talk.as(owner.at(servers.get(2))).command("resume").expect(200);
            for (SseStream stream : List.of(here, there)) {
                assertThat(stream.await(event -> event.type().equals("done")).text("message"))
                        .isEqualTo(WORDS);
                assertThat(Talk.shown(stream, null)).isEqualTo(WORDS);
            }
        }
    }

    @Test
    void aTurnWhoseServerDiesIsTakenUpWhereItWas() throws InterruptedException {
        Talk talk = on(2, "{}");
        try (SseStream stream = talk.stream()) {
            talk.say("/call look {}", "/delay 150ms", WORDS);
            talk.say("/say after");
            awaitWords(stream, "three");
            servers.get(2).kill();

            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            assertThat(done.text("message")).isEqualTo(WORDS);
            assertThat(done.data().get("epoch").asInt()).isEqualTo(2);
            assertThat(Talk.shown(stream, done.text("turn_id"))).isEqualTo(WORDS);
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("after"));

            List<JsonNode> inits = talk.events("session_init");
            assertThat(inits.get(1).get("attempt").asInt()).isEqualTo(2);
            assertThat(inits.get(1).get("turn_id")).isEqualTo(inits.get(0).get("turn_id"));
            assertThat(talk.events("call"))
                    .as("what was done is not done again")
                    .hasSize(1);
            assertThat(talk.events("agent_recovered")).hasSize(1);
        }
        assertThat(talk.told()).hasSize(6);
    }

    @Test
    void howOftenATurnIsTriedIsBounded() throws InterruptedException {
        servers.close();
        servers = Servers.start(2, Map.of("chat.max-attempts", "1"));
        owner = Api.user(servers.get(1));
        workspace = owner.newWorkspace();
        Talk talk = on(2, "{}");
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/wait 60s");
            awaitWords(stream, "one");
            servers.get(2).kill();
            assertThat(stream.await(event -> event.type().equals("error")).text("partial_response"))
                    .isEqualTo("one");
            stream.awaitStatus("error");
        }
        assertThat(talk.session().get("error_message").asText()).contains("its server was lost");
    }

    @Test
    void aServerThatStopsHandsOverInTheMiddleOfATurn() {
        Talk talk = on(2, "{}");
        Talk idle = on(2, "{}");
        try (SseStream stream = talk.stream()) {
            talk.say("/delay 200ms", WORDS);
            awaitWords(stream, "two");
            servers.signal(2, "TERM");

            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            assertThat(done.text("message")).isEqualTo(WORDS);
            assertThat(Talk.shown(stream, null)).isEqualTo(WORDS);
            assertThat(talk.events("session_init"))
                    .extracting(init -> init.get("attempt").asInt())
                    .as("handing over is no failed attempt")
                    .containsExactly(1, 1);
            assertThat(talk.events("agent_migrated")).hasSize(1);
        }
        await().until(() -> idle.session().get("server_hostname").asText().equals("s1"));
        idle.say("/say here");
        await().until(() -> idle.told().contains("assistant: here"));
    }

    @Test
    void anAgentMigratesInTheMiddleOfATurnAndAQuestionGoesWithIt() {
        Talk talk = on(2, "{}");
        String first = servers.id(1);
        try (SseStream stream = talk.stream()) {
            talk.say("/delay 300ms", WORDS, "/ask Why?");
            awaitWords(stream, "two");
            migrate(talk, first);
            stream.await(event -> event.type().equals("question_pending"));
            assertThat(Talk.shown(stream, null)).isEqualTo(WORDS);

            migrate(talk, servers.id(2));
            talk.answer("\"so\"").expect(202);
            assertThat(stream.await(event -> event.type().equals("done")).text("message"))
                    .startsWith(WORDS)
                    .endsWith("The answer is: \"so\"");
            assertThat(talk.events("session_init"))
                    .extracting(init -> init.get("attempt").asInt())
                    .containsExactly(1, 1, 1);
        }
    }

    private void migrate(Talk talk, String server) {
        JsonNode answer = servers.operator()
                .post("/agent-sessions/" + talk.sessionId() + "/migrate?wait=10", "{\"server_id\":\"" + server + "\"}")
                .expect(200);
        assertThat(answer.at("/command/state").asText()).isEqualTo("applied");
        assertThat(answer.at("/session/server_id").asText()).isEqualTo(server);
    }

    @Test
    void aPausedTurnSurvivesItsServer() throws InterruptedException {
        Talk talk = on(2, "{}");
        try (SseStream stream = talk.stream()) {
            talk.say("/delay 50ms", WORDS);
            awaitWords(stream, "two");
            talk.command("pause").expect(200);
            servers.get(2).kill();
            await().until(() -> talk.session().get("server_hostname").asText().equals("s1"));
            talk.command("resume").expect(200);
            assertThat(stream.await(event -> event.type().equals("done")).text("message"))
                    .isEqualTo(WORDS);
            assertThat(Talk.shown(stream, null)).isEqualTo(WORDS);
        }
    }

    @Test
    void aZombiesWordsAreNotHeard() {
        Talk talk = on(2, "{}");
        try (SseStream stream = talk.stream()) {
            talk.say("/delay 100ms", WORDS);
            awaitWords(stream, "two");
            servers.signal(2, "STOP");
            SseStream.Event done = stream.await(event -> event.type().equals("done"));
            servers.signal(2, "CONT");
            assertThat(done.text("message")).isEqualTo(WORDS);
            await().until(() -> servers.list().size() == 3);
            talk.say("/say after");
            stream.await(event ->
                    event.type().equals("done") && event.text("message").equals("after"));
            assertThat(talk.events("done")).hasSize(2);
            assertThat(Talk.shown(stream, done.text("turn_id"))).isEqualTo(WORDS);
        }
        assertThat(talk.told()).hasSize(4);
    }
}
