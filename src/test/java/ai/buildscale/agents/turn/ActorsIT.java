package ai.buildscale.agents.turn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Service;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An agent is in the memory of its server for as long as its session may need it there, and no longer. */
class ActorsIT {
    private static final int COUNT = 200;

    private static Service service;

    private Api owner;
    private String workspace;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of("server.rebalance", "false", "workspaces.max-live-sessions", "1000"));
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    @BeforeEach
    void anew() {
        owner = Api.user(service);
        workspace = owner.newWorkspace();
        awaitActors(0);
    }

    private static void awaitActors(int count) {
        await().atMost(Duration.ofSeconds(5))
                .pollInterval(Duration.ofMillis(50))
                .untilAsserted(() -> assertThat(service.metric("chat_actors")).isEqualTo(count));
    }

    private List<Talk> talks(int count, String... lines) {
        List<Talk> talks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Talk talk = Talk.begin(owner, workspace);
            talk.say(lines);
            talks.add(talk);
        }
        return talks;
    }

    private List<Talk> idle(int count) {
        List<Talk> talks = talks(count, "/say x");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> service.metric("chat_actors") == count && service.metric("chat_turns_running") == 0);
        return talks;
    }

    @Test
    void cancelledOnesLeaveAtOnce() {
        List<Talk> talks = idle(COUNT);
        AtOnce.run(
                COUNT,
                n -> owner.delete("/agent-sessions/" + talks.get(n).sessionId()).expect(200));
        awaitActors(0);
    }

    @Test
    void whateverEndsTheirSessionsTheyLeave() {
        List<Talk> working = talks(4, "/say x", "/wait 60s");
        awaitActors(4);
        await().until(() -> service.metric("chat_turns_running") == 4);
        owner.delete("/agent-sessions/" + working.get(0).sessionId()).expect(200);
        owner.command(working.get(1).sessionId(), "complete", "{}").expect(200);
        owner.command(working.get(2).sessionId(), "fail", "{\"error_message\":\"no\"}")
                .expect(200);
        awaitActors(1);
        talks(3, "/fail boom");
        awaitActors(1);
        assertThat(service.metric("chat_turns_running")).isEqualTo(1);
        owner.delete("/workspaces/" + workspace).expect(200);
        awaitActors(0);
    }

    @Test
    void thoseOfADeletedWorkspaceLeave() {
        idle(50);
        owner.delete("/workspaces/" + workspace).expect(200);
        awaitActors(0);
    }

    @Test
    void thoseWhoseSessionsEndOrGoElsewhereLeave() {
        List<Talk> talks = idle(10);
        try (Service other = Service.start(service.databaseUrl(), Map.of("server.rebalance", "false"))) {
            Api elsewhere = owner.at(other);
            for (Talk talk : talks.subList(0, 5)) {
                elsewhere.delete("/agent-sessions/" + talk.sessionId()).expect(200);
            }
            awaitActors(5);
            Api operator = Api.user(service, "admin");
            for (Talk talk : talks.subList(5, 10)) {
                // rejected while this server has not seen the other one yet
                await().until(() -> operator.post("/agent-sessions/" + talk.sessionId() + "/migrate?wait=10", "{}")
                        .expect(200)
                        .at("/command/state")
                        .asText()
                        .equals("applied"));
            }
            awaitActors(0);
            Talk moved = talks.getLast();
            moved.say("/say again");
            await().atMost(Duration.ofSeconds(10)).until(() -> moved.told().contains("assistant: again"));
            assertThat(service.metric("chat_actors")).isZero();
        }
    }
}
