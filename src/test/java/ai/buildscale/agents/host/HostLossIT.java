package ai.buildscale.agents.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Hosts that fall silent, or do not do what they are told, with short leases. */
@Tag("jvm")
class HostLossIT {
    private static Service service;

    private Api owner;
    private String workspace;
    private Host first;
    private Host second;
    private Talk talk;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of(
                "hosts.turn-lease", "2S",
                "hosts.sweep-interval", "1S",
                "hosts.forget-after", "12S",
                "chat.max-attempts", "2",
                "sessions.heartbeat-interval", "1S",
                "sessions.stale-threshold", "4S",
                "sessions.sweep-interval", "1S"));
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    @BeforeEach
    void anew() {
        owner = Api.user(service, "agent-host");
        workspace = owner.newWorkspace();
        first = Host.register(owner, "");
        second = Host.register(owner, "");
        talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
    }

    private void awaitStatus(String status) {
        await().atMost(Duration.ofSeconds(15))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> talk.session().get("status").asText().equals(status));
    }

    @Test
    void theTurnOfASilentHostIsAnothersAndItIsFenced() {
        try (SseStream stream = talk.stream()) {
            talk.say("Go");
            JsonNode lost = first.next();
            first.tell(lost, 7, Host.chunk("one ")).expect(200);

            JsonNode found = second.next();
            assertThat(found.get("turn_id")).isEqualTo(lost.get("turn_id"));
            assertThat(found.get("epoch").asInt()).isEqualTo(lost.get("epoch").asInt() + 1);
            assertThat(found.get("attempt").asInt()).isEqualTo(2);
            assertThat(found.get("said").asText()).isEqualTo("one ");

            JsonNode fenced = first.tell(lost, Host.chunk("late")).expectProblem(409, "FENCED");
            assertThat(fenced.get("epoch")).isEqualTo(found.get("epoch"));
            first.result(lost, "done", "").expectProblem(409, "FENCED");
            JsonNode beat = first.beat(lost);
            assertThat(beat.get("desired_status").asText()).isEqualTo("idle");
            assertThat(beat.get("lease_extended").asBoolean()).isFalse();
            assertThat(beat.get("epoch")).isEqualTo(found.get("epoch"));

            // its own requests are numbered anew
            second.tell(found, 1, Host.chunk("two")).expect(200);
            second.tell(found, 1, Host.chunk("two")).expect(200);
            second.result(found, "done", "").expect(200);
            assertThat(stream.await(event -> event.type().equals("done")).text("message"))
                    .isEqualTo("one two");
            assertThat(Talk.shown(stream, null)).isEqualTo("one two");
        }
        assertThat(talk.told()).containsExactly("user: Go", "assistant: one two");
    }

    @Test
    void aTurnIsTriedNoMoreOftenThanItMay() {
        try (SseStream stream = talk.stream()) {
            talk.say("Go");
            first.beat(first.next());
            JsonNode again = second.next();
            second.tell(again, Host.chunk("one")).expect(200);
            SseStream.Event error = stream.await(event -> event.type().equals("error"));
            assertThat(error.text("partial_response")).isEqualTo("one");
            assertThat(error.text("message")).contains("2 times").contains("host was lost");
            stream.awaitStatus("error");
            second.result(again, "done", "").expectProblem(409, "FENCED");
        }
        assertThat(first.ask(1, 1)).isEmpty();
    }

    @Test
    void aHostThatBeatsKeepsItsTurnAndTheSession() {
        talk.say("Go");
        JsonNode work = first.next();
        for (int i = 0; i < 6; i++) {
            assertThat(first.beat(work).get("lease_extended").asBoolean()).isTrue();
            assertThat(second.ask(1, 1)).isEmpty();
        }
        first.result(work, "done", ",\"message\":\"At last\"").expect(200);
        assertThat(talk.told()).endsWith("assistant: At last");
        await().during(Duration.ofSeconds(6))
                .atMost(Duration.ofSeconds(8))
                .until(() -> talk.session().get("status").asText().equals("idle"));
    }

    @Test
    void aMessageWaitsForAHostAsLongAsItMust() {
        talk.say("Go");
        await().during(Duration.ofSeconds(6))
                .atMost(Duration.ofSeconds(8))
                .until(() -> talk.session().get("status").asText().equals("idle"));
        assertThat(first.next().at("/history/0/content").asText()).isEqualTo("Go");
    }

    @Test
    void whoIgnoresAPauseLosesTheTurn() {
        talk.say("Go");
        JsonNode work = first.next();
        first.tell(work, Host.chunk("one ")).expect(200);
        talk.command("pause").expect(200);
        await().atMost(Duration.ofSeconds(10)).until(() -> {
            assertThat(first.wanted(work)).isIn("paused", "idle");
            return !talk.events("stopped").isEmpty();
        });
        first.result(work, "done", "").expectProblem(409, "FENCED");
        talk.command("resume").expect(200);
        JsonNode again = second.next();
        assertThat(again.get("turn_id")).isEqualTo(work.get("turn_id"));
        assertThat(again.get("said").asText()).isEqualTo("one ");
        assertThat(again.get("attempt").asInt()).isEqualTo(1);
    }

    @Test
    void whoIgnoresAStopLosesTheTurn() {
        talk.say("Go");
        JsonNode work = first.next();
        first.tell(work, Host.chunk("one")).expect(200);
        talk.stop().expect(200);
        await().atMost(Duration.ofSeconds(10)).until(() -> {
            assertThat(first.wanted(work)).isEqualTo("idle");
            return talk.told().contains("assistant: one");
        });
        awaitStatus("idle");
        assertThat(second.ask(1, 1)).isEmpty();
    }

    @Test
    void aHostThatIsSilentForLongIsForgotten() {
        await().atMost(Duration.ofSeconds(30))
                .pollInterval(Duration.ofSeconds(1))
                .until(() -> owner.get(first.path()).status() == 404);
    }
}
