package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Each transition of a session by a command is one line of the log while its category is at DEBUG. */
class LifecycleLogIT {
    /** The transitions of a session, by the category as the console abbreviates it, as {@code from → to epoch: reason}. */
    private static List<String> transitions(Service of, String session) {
        return of.log()
                .lines()
                .filter(line -> line.contains("[s.lifecycle]") && line.contains("session " + session))
                .map(line -> line.replaceFirst(".* from (\\S+) to (\\S+) epoch (\\d+) reason (.*)", "$1 → $2 $3: $4"))
                .toList();
    }

    private static String run(Service service) {
        Api owner = Api.user(service);
        String session = owner.newSession(owner.newWorkspace()).get("id").asText();
        String path = "/agent-sessions/" + session;
        owner.post(path + "/start", "{}").expect(200);
        owner.post(path + "/pause", "{\"reason\":\"for lunch\"}").expect(200);
        owner.post(path + "/pause", "{}").expect(200);
        owner.delete(path).expect(200);
        owner.post(path + "/start", "{}").expect(409);
        return session;
    }

    @Test
    void eachTransitionIsOneLine() {
        try (Service service = Service.start(Map.of("quarkus.log.category.\"session.lifecycle\".level", "DEBUG"))) {
            String session = run(service);

            await().untilAsserted(() -> assertThat(transitions(service, session))
                    .containsExactly(
                            "- → idle 1: created",
                            "idle → running 1: start",
                            "running → paused 1: for lunch",
                            "paused → cancelled 1: cancel"));
        }
    }

    @Test
    void noneIsLoggedAsTheServiceComes() {
        Service quiet = Service.shared();

        assertThat(transitions(quiet, run(quiet))).isEmpty();
    }
}
