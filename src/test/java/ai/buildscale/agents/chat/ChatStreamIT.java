package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import org.junit.jupiter.api.Test;

/** A chat's stream lives as long as the chat: it carries one session after the other. */
class ChatStreamIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    private static SseStream.Event awaitAnswer(SseStream stream, Talk talk, String message) {
        return stream.await(event -> event.type().equals("done")
                && !event.text("session_id").equals(talk.sessionId())
                && event.text("message").equals(message));
    }

    @Test
    void goesOnWithTheNextSession() {
        Talk talk = Talk.begin(OWNER, WORKSPACE);
        try (SseStream stream = talk.stream()) {
            stream.awaitOpen();
            talk.say("/fail boom");
            stream.awaitStatus("error");

            talk.say("/say Here again");

            awaitAnswer(stream, talk, "Here again");
            assertThat(stream.isEnded()).isFalse();
        }
    }

    @Test
    void opensOnAChatWhoseSessionHasEndedAndWaitsForTheNext() {
        Talk talk = Talk.begin(OWNER, WORKSPACE);
        OWNER.delete("/agent-sessions/" + talk.sessionId()).expect(200);
        String last = OWNER.history(talk.sessionId()).getLast().get("position").asText();
        try (SseStream plain = talk.stream();
                SseStream withSnapshot = OWNER.stream(talk.path() + "/events?snapshot=true");
                SseStream resumed = talk.stream("Last-Event-ID", last);
                SseStream fromTheStart = talk.stream("Last-Event-ID", "0")) {
            plain.awaitOpen();
            SseStream.Event snapshot = withSnapshot.await(event -> event.type().equals("snapshot"));
            assertThat(snapshot.data().at("/sessions/0/status").asText()).isEqualTo("cancelled");
            fromTheStart.awaitStatus("cancelled");

            talk.say("/say Hello");

            for (SseStream stream : new SseStream[] {plain, withSnapshot, resumed, fromTheStart}) {
                awaitAnswer(stream, talk, "Hello");
                assertThat(stream.isEnded()).isFalse();
            }
            assertThat(resumed.statuses()).doesNotContain("cancelled");
        }
    }

    @Test
    void resumesAcrossTheEndOfASession() {
        Talk talk = Talk.begin(OWNER, WORKSPACE);
        String before =
                OWNER.history(talk.sessionId()).getLast().get("position").asText();
        OWNER.delete("/agent-sessions/" + talk.sessionId()).expect(200);
        talk.say("/say Next");
        try (SseStream stream = talk.stream("Last-Event-ID", before)) {
            awaitAnswer(stream, talk, "Next");

            assertThat(stream.statuses()).startsWith("cancelled", "idle", "running");
        }
    }
}
