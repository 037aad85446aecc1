package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.host.Host;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The end of a chat's session, as who follows it sees it: all that it takes along comes before its last event. */
class EndOfChatIT {
    private static final String WORDS = "one two three four five six seven eight nine ten";

    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void begin() {
        owner = Api.user(Service.shared(), "agent-host");
        workspace = owner.newWorkspace();
    }

    /** What is told of from the turn's end on, commands left out. */
    private static List<String> end(Talk talk) {
        List<JsonNode> events = owner.history(talk.sessionId());
        int from = 0;
        while (!List.of("stopped", "error")
                .contains(events.get(from).get("event").asText())) {
            from++;
        }
        return events.subList(from, events.size()).stream()
                .filter(event -> !event.get("event").asText().equals("agent_command"))
                .map(event -> event.get("data").has("message_id")
                        ? "dropped " + event.at("/data/message_id").asText()
                        : event.get("event").asText() + " "
                                + event.at("/data/status")
                                        .asText(event.at("/data/reason").asText()))
                .toList();
    }

    private static Talk busy(SseStream[] stream) {
        Talk talk = Talk.begin(owner, workspace);
        stream[0] = talk.stream();
        talk.say("/usage 2 3", "/delay 100ms", WORDS, "/wait 30s");
        await().until(() -> Talk.shown(stream[0], null).contains("three"));
        return talk;
    }

    @ParameterizedTest
    @CsvSource({"cancel, cancelled, cancelled", "complete, completed, completed", "fail, failed, error"})
    void whoeverEndsItEndsAllOfItFirst(String command, String reason, String status) {
        SseStream[] stream = new SseStream[1];
        Talk talk = busy(stream);
        String second = talk.say("two");
        String third = talk.say("three");
        if (command.equals("cancel")) {
            owner.delete("/agent-sessions/" + talk.sessionId()).expect(200);
        } else {
            String body = command.equals("fail") ? "{\"error_message\":\"no\"}" : "{}";
            owner.command(talk.sessionId(), command, body).expect(200);
        }
        stream[0].awaitStatus(status);
        assertThat(stream[0].events().stream()
                        .filter(event -> event.type().equals("stopped"))
                        .map(event -> event.text("message_id")))
                .as("seen by who follows")
                .containsExactly("", second, third);

        List<String> all =
                List.of("stopped " + reason, "dropped " + second, "dropped " + third, "agent_status " + status);
        assertThat(end(talk)).isEqualTo(all);
        // what the agent used is known a moment later, and nothing is told of that
        await().atMost(Duration.ofSeconds(10))
                .until(() -> talk.session().at("/usage/output_tokens").asInt() == 3);
        assertThat(end(talk)).isEqualTo(all);
        assertThat(talk.told().stream().filter(said -> said.startsWith("assistant: one two three")))
                .hasSize(1);
        stream[0].close();
    }

    @Test
    void aTurnThatFailsTakesTheOthersAlong() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say one", "/wait 1s", "/fail boom");
            String second = talk.say("two");
            String third = talk.say("three");
            stream.awaitStatus("error");
            assertThat(end(talk))
                    .containsExactly("error ", "dropped " + second, "dropped " + third, "agent_status error");
            assertThat(stream.events().stream()
                            .filter(event -> event.type().equals("stopped"))
                            .map(event -> event.text("message_id")))
                    .containsExactly(second, third);
        }
    }

    @Test
    void oneElsewhereTakesAlongWhatItsHostHadSaid() {
        Talk talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
        Host host = Host.register(owner, "");
        talk.say("one");
        JsonNode work = host.next();
        host.tell(work, Host.chunk("so far")).expect(200);
        String second = talk.say("two");
        host.result(work, "failed", ",\"error\":\"no\"").expect(200);
        assertThat(end(talk)).containsExactly("error ", "dropped " + second, "agent_status error");

        talk.say("three");
        JsonNode next = host.next();
        Talk again =
                new Talk(owner, workspace, talk.chatId(), next.get("session_id").asText());
        host.tell(next, Host.chunk("and more")).expect(200);
        owner.delete("/agent-sessions/" + again.sessionId()).expect(200);
        host.result(next, "stopped", "").expect(200);
        assertThat(end(again)).containsExactly("stopped cancelled", "agent_status cancelled");
        assertThat(talk.told())
                .containsExactly("user: one", "user: two", "assistant: so far", "user: three", "assistant: and more");
    }
}
