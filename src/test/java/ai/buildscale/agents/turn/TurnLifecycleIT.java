package ai.buildscale.agents.turn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.host.Host;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Each transition of a turn is one line of the log while its category is at DEBUG. */
class TurnLifecycleIT {
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of("quarkus.log.category.\"turn.lifecycle\".level", "DEBUG"));
        owner = Api.user(service, "agent-host");
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    /** The transitions of the session's turns, by the category as the console abbreviates it, as {@code from → to epoch: reason}. */
    private static List<String> transitions(Service of, String session) {
        return of.log()
                .lines()
                .filter(line -> line.contains("[t.lifecycle]") && line.contains("session " + session))
                .map(line -> line.replaceFirst(".* from (\\S+) to (\\S+) epoch (\\d+) reason (.*)", "$1 → $2 $3: $4"))
                .toList();
    }

    private static void awaitTransitions(String session, String... expected) {
        await().untilAsserted(() -> assertThat(transitions(service, session)).containsExactly(expected));
    }

    @Test
    void ofATurnThatAsksIsAnsweredAndDone() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/ask Which?", "/say That.");
            stream.await(event -> event.type().equals("question_pending"));
            talk.answer("\"this\"").expect(202);
            stream.await(event -> event.type().equals("done"));
        }

        awaitTransitions(
                talk.sessionId(),
                "- → running 1: begun",
                "running → waiting 1: question",
                "waiting → running 1: answered",
                "running → done 1: -");
    }

    @Test
    void ofATurnThatIsPausedResumedAndStopped() {
        Talk talk = Talk.begin(owner, workspace);
        try (SseStream stream = talk.stream()) {
            talk.say("/say Soon.", "/wait 20s");
            stream.await(event -> event.type().equals("chunk"));
            talk.command("pause").expect(200);
            talk.command("resume").expect(200);
            talk.stop().expect(200);
            stream.await(event ->
                    event.type().equals("stopped") && event.text("reason").equals("stopped"));
        }

        awaitTransitions(
                talk.sessionId(),
                "- → running 1: begun",
                "running → paused 1: paused",
                "running|parked|paused → running 1: claimed, attempt 1",
                "running → stopped 1: stopped");
    }

    @Test
    void ofATurnThatAHostElsewhereRuns() {
        Talk talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
        Host host = Host.register(owner, "");
        talk.say("Do it");
        JsonNode work = host.next();
        host.result(work, "done", ",\"message\":\"Done.\"").expect(200);

        awaitTransitions(talk.sessionId(), "- → running 2: claimed by a host", "running → done 2: -");
    }

    @Test
    void noneIsLoggedAsTheServiceComes() {
        Service quiet = Service.shared();
        Api someone = Api.user(quiet);
        Talk talk = Talk.begin(someone, someone.newWorkspace());
        try (SseStream stream = talk.stream()) {
            talk.say("Hello");
            stream.await(event -> event.type().equals("done"));
        }

        assertThat(transitions(quiet, talk.sessionId())).isEmpty();
    }
}
