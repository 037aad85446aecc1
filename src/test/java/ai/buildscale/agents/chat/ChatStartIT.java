package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.host.Host;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The ways into {@code running}: a chat's session runs only with a turn. */
class ChatStartIT {
    private static Service service;

    private Api owner;
    private String workspace;

    @BeforeAll
    static void begin() {
        service = Service.start(Map.of("sessions.sweep-interval", "0.5S", "chat.mailbox", "3"));
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    @BeforeEach
    void anew() {
        owner = Api.user(service, "agent-host");
        workspace = owner.newWorkspace();
    }

    private Talk talk(String hosting) {
        return Talk.begin(owner, workspace, "{\"hosting\":\"" + hosting + "\"}");
    }

    private Api.Reply command(Talk talk, String command, String body) {
        return owner.command(talk.sessionId(), command, body);
    }

    private static String status(Talk talk) {
        return talk.session().get("status").asText();
    }

    private static void awaitStatus(Talk talk, String status) {
        await().atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> status(talk).equals(status));
    }

    /** Whether a session runs for which nobody works. */
    private static List<Map<String, Object>> runningForNobody() {
        return Postgres.query(service.databaseUrl(), """
                select s.* from agent_sessions s join chats c on c.id = s.chat_id
                where s.status = 'running' and s.turn_id is null""");
    }

    @ParameterizedTest
    @ValueSource(strings = {"server", "external"})
    void whatHasNothingToDoDoesNotStart(String hosting) {
        Talk talk = talk(hosting);
        for (String body : new String[] {"{}", "{\"task\":null}", "{\"task\":\" \"}"}) {
            JsonNode refused = command(talk, "start", body).expectProblem(409, "CONFLICT");
            assertThat(refused.get("detail").asText()).contains("runs only with a turn");
            assertThat(refused.get("current_status").asText()).isEqualTo("idle");
        }
        assertThat(status(talk)).isEqualTo("idle");
        command(talk, "pause", "{}").expect(200);
        command(talk, "start", "{}").expectProblem(409, "CONFLICT");
        assertThat(status(talk)).isEqualTo("paused");
        command(talk, "resume", "{}").expect(200);
        assertThat(status(talk)).isEqualTo("idle");
        assertThat(talk.events("agent_status").stream()
                        .map(data -> data.get("status").asText()))
                .doesNotContain("running");
        owner.delete("/agent-sessions/" + talk.sessionId()).expect(200);
        command(talk, "start", "{\"task\":\"Late\"}").expectProblem(409, "CONFLICT");
        assertThat(talk.told()).isEmpty();
    }

    @Test
    void theTaskOfAHostedOneIsATurn() {
        Talk talk = talk("server");
        JsonNode started = command(talk, "start", "{\"task\":\"/say one\"}").expect(200);
        assertThat(started.at("/session/status").asText()).isEqualTo("running");
        await().atMost(Duration.ofSeconds(10)).until(() -> talk.told().contains("assistant: one"));
        awaitStatus(talk, "idle");
        command(talk, "start", "{}").expectProblem(409, "CONFLICT");

        talk.say("/ask Why?");
        await().until(() -> !talk.session().get("blocked_on").isNull());
        command(talk, "start", "{}").expectProblem(409, "CONFLICT");
        command(talk, "pause", "{}").expect(200);
        command(talk, "resume", "{\"task\":\"/say two\"}").expect(200);
        await().atMost(Duration.ofSeconds(10)).until(() -> talk.told().contains("assistant: two"));
        assertThat(talk.told()).contains("user: /say one", "user: /say two");
        awaitStatus(talk, "idle");
    }

    @Test
    void aTurnThatIsPausedIsGoneOnWithBeforeTheTask() {
        Talk talk = talk("server");
        talk.say("/say one", "/wait 30s");
        await().until(() -> talk.session().get("status").asText().equals("running"));
        talk.command("pause").expect(200);
        command(talk, "start", "{\"task\":\"/say two\"}").expect(200);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> talk.events("session_init").size() == 2);
        talk.stop().expect(200);
        await().atMost(Duration.ofSeconds(10)).until(() -> talk.told().contains("assistant: two"));
    }

    @Test
    void theTaskOfOneElsewhereWaitsForAHost() {
        Talk talk = talk("external");
        JsonNode started = command(talk, "start", "{\"task\":\"Count\"}").expect(200);
        assertThat(started.at("/session/status").asText()).isEqualTo("idle");
        assertThat(started.get("message").asText()).isEqualTo("Session waits for a host");
        command(talk, "start", "{}").expect(200);
        command(talk, "pause", "{}").expect(200);
        JsonNode resumed = command(talk, "resume", "{\"task\":\"Count on\"}").expect(200);
        assertThat(resumed.at("/session/status").asText()).isEqualTo("idle");
        String pause = talk.events("agent_status").getLast().get("reason").asText();
        assertThat(pause).isEqualTo("waits for a host");
        assertThat(runningForNobody()).isEmpty();

        Host host = Host.register(owner, "");
        JsonNode work = host.next();
        assertThat(work.at("/history/0/content").asText()).isEqualTo("Count");
        assertThat(status(talk)).isEqualTo("running");
        assertThat(talk.session().get("current_task").asText()).isEqualTo("Count");
        command(talk, "start", "{}").expectProblem(409, "CONFLICT");
        host.result(work, "done", "").expect(200);
        assertThat(host.next().at("/history/2/content").asText()).isEqualTo("Count on");
    }

    @Test
    void aRepeatedResumeGivesItsTaskOnce() {
        Talk talk = talk("external");
        String pause =
                command(talk, "pause", "{}").expect(200).at("/session/pause/id").asText();
        String body = "{\"task\":\"Once\",\"pause_id\":\"" + pause + "\"}";
        command(talk, "resume", body).expect(200);
        command(talk, "resume", body).expect(200);
        assertThat(talk.whole().get("messages")).hasSize(1);
    }

    @Test
    void aTurnThatItsHostHoldsGoesOnWhenItIsResumed() {
        Talk talk = talk("external");
        Host host = Host.register(owner, "");
        talk.say("Go");
        JsonNode work = host.next();
        command(talk, "pause", "{}").expect(200);
        assertThat(host.wanted(work)).isEqualTo("paused");
        assertThat(command(talk, "resume", "{}")
                        .expect(200)
                        .at("/session/status")
                        .asText())
                .isEqualTo("running");
        assertThat(host.wanted(work)).isEqualTo("running");
        host.result(work, "done", "").expect(200);
        assertThat(status(talk)).isEqualTo("idle");
    }

    @ParameterizedTest
    @ValueSource(strings = {"server", "external"})
    void aPauseThatRunsOutLeavesNobodyRunningForNobody(String hosting) {
        Talk talk = talk(hosting);
        Host host = Host.register(owner, "");
        talk.say("/say one", "/wait 30s");
        if (hosting.equals("external")) {
            JsonNode work = host.next();
            command(talk, "pause", "{\"expires_in\":1}").expect(200);
            host.result(work, "paused", "").expect(200);
            awaitStatus(talk, "idle");
            assertThat(host.next().get("turn_id")).isEqualTo(work.get("turn_id"));
        } else {
            awaitStatus(talk, "running");
            command(talk, "pause", "{\"expires_in\":1}").expect(200);
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> talk.events("session_init").size() == 2);
        }
        assertThat(status(talk)).isEqualTo("running");
        assertThat(runningForNobody()).isEmpty();
    }

    @Test
    void aStartThatMeetsAStopLeavesNobodyRunningForNobody() {
        for (int i = 0; i < 20; i++) {
            Talk talk = talk(i % 4 == 0 ? "external" : "server");
            AtOnce.run(3, n -> switch (n) {
                case 0 -> command(talk, "start", "{\"task\":\"/say x\"}").status();
                case 1 -> talk.stop().status();
                default -> command(talk, "start", "{}").status();
            });
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> runningForNobody().isEmpty());
        await().during(Duration.ofSeconds(1)).until(() -> runningForNobody().isEmpty());
    }

    @Test
    void aPlainSessionIsAsItsOwnersProgramSays() {
        String id = owner.newExternalSession(workspace).get("id").asText();
        assertThat(owner.command(id, "start", "{}")
                        .expect(200)
                        .at("/session/status")
                        .asText())
                .isEqualTo("running");
        owner.command(id, "pause", "{}").expect(200);
        assertThat(owner.command(id, "start", "{\"task\":\"t\"}")
                        .expect(200)
                        .at("/session/current_task")
                        .asText())
                .isEqualTo("t");
    }

    @Test
    void aMailboxHasAnEnd() {
        Talk talk = talk("external");
        talk.say("1");
        talk.say("2");
        command(talk, "start", "{\"task\":\"3\"}").expect(200);
        JsonNode full = talk.post("4", null).expectProblem(429, "MAILBOX_FULL");
        assertThat(full.get("detail").asText()).startsWith("3 messages wait");
        assertThat(command(talk, "start", "{\"task\":\"4\"}").header("retry-after"))
                .isNotNull();
        command(talk, "start", "{\"task\":\"4\"}").expectProblem(429, "MAILBOX_FULL");
        Host.register(owner, "").next();
        talk.say("4");
    }
}
