package ai.buildscale.agents.server;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Three servers as operators see them: who is there, who takes sessions, who gives them away. */
class FleetIT {
    private static Servers servers;
    private static Api operator;
    private static String workspace;

    @BeforeAll
    static void start() {
        servers = Servers.start(3, Map.of("server.url", "http://here", "server.capacity", "500"));
        operator = servers.operator();
        workspace = operator.newWorkspace();
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    private static void tell(int number, String verb) {
        operator.post("/servers/" + servers.id(number) + "/" + verb, null).expect(200);
    }

    private static Map<String, Long> hosts(int count) {
        return IntStream.range(0, count)
                .mapToObj(_ ->
                        operator.newSession(workspace).get("server_hostname").asText())
                .collect(Collectors.groupingBy(host -> host, Collectors.counting()));
    }

    @Test
    void eachProcessIsAMemberThatReportsItself() {
        List<String> there = servers.sessionsOn(1, 2, operator, workspace);
        operator.command(there.getFirst(), "start", "{}").expect(200);

        JsonNode server = servers.living("s1");

        assertThat(server.fieldNames()).toIterable().contains("id", "hostname", "url", "state", "started_at", "labels");
        assertThat(server.get("url").asText()).isEqualTo("http://here");
        assertThat(server.get("state").asText()).isEqualTo("active");
        assertThat(server.get("capacity").asInt()).isEqualTo(500);
        assertThat(server.get("sessions").asInt()).isGreaterThanOrEqualTo(2);
        assertThat(server.get("running").asInt()).isPositive();
        assertThat(server.get("version").asText()).isNotEmpty();
        assertThat(server.get("gone_at").isNull()).isTrue();
        await().until(() -> servers.living("s1").get("load").asDouble() > 0);
        assertThat(operator.get("/servers/" + server.get("id").asText())
                        .expect(200)
                        .at("/server/hostname")
                        .asText())
                .isEqualTo("s1");
    }

    @Test
    void sessionsGoToTheLeastLoadedFromWhicheverServer() {
        hosts(10);

        // what the servers had before is evened out, the rest is shared
        await().untilAsserted(() -> assertThat(hosts(30).values()).allMatch(n -> n >= 8 && n <= 12));
    }

    @Test
    void theFleetIsForOperators() {
        Api somebody = Api.user(servers.get(1));
        String id = servers.id(1);
        somebody.get("/servers").expectProblem(403, "FORBIDDEN");
        somebody.get("/servers/" + id).expectProblem(403, "FORBIDDEN");
        for (String verb : List.of("cordon", "uncordon", "drain")) {
            somebody.post("/servers/" + id + "/" + verb, null).expectProblem(403, "FORBIDDEN");
            somebody.post("/servers/" + UUID.randomUUID() + "/" + verb, null).expectProblem(403, "FORBIDDEN");
        }
        somebody.post("/servers/rebalance", "{\"dry_run\":true}").expectProblem(403, "FORBIDDEN");
        Api.withToken(servers.get(1), null, null).get("/servers").expectProblem(401, "INVALID_TOKEN");
        assertThat(servers.living("s1").get("state").asText()).isEqualTo("active");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/cordon", "/uncordon", "/drain"})
    void whatDoesNotExistIs404AndWhatIsNoIdIs400(String verb) {
        String method = verb.isEmpty() ? "GET" : "POST";
        operator.send(method, "/servers/" + UUID.randomUUID() + verb, (byte[]) null)
                .expectProblem(404, "NOT_FOUND");
        assertThat(operator.send(method, "/servers/x" + verb, (byte[]) null)
                        .expectProblem(400, "VALIDATION_ERROR")
                        .at("/fields/id")
                        .asText())
                .isNotEmpty();
    }

    @Test
    void aCordonedServerKeepsWhatItHasAndTakesNoMore() {
        String kept = servers.sessionsOn(2, 1, operator, workspace).getFirst();
        tell(2, "cordon");
        tell(2, "cordon");
        try {
            assertThat(servers.living("s2").get("state").asText()).isEqualTo("cordoned");
            assertThat(hosts(12)).doesNotContainKey("s2");
            assertThat(operator.at(servers.get(3))
                            .session(kept)
                            .get("server_hostname")
                            .asText())
                    .isEqualTo("s2");
            assertThat(servers.get(2).statusOf("/q/health/ready")).isEqualTo(200);
        } finally {
            tell(2, "uncordon");
        }
        assertThat(servers.living("s2").get("state").asText()).isEqualTo("active");
        await().until(() -> hosts(6).containsKey("s2"));
    }

    @Test
    void aDrainedServerHasNothingAndIsNotReadyUntilItIsUncordoned() {
        List<String> sessions = servers.sessionsOn(3, 20, operator, workspace);
        operator.command(sessions.getFirst(), "start", "{}").expect(200);
        operator.command(sessions.getFirst(), "pause", "{}").expect(200);
        Api there = operator.at(servers.get(3));
        try (SseStream stream = there.stream("/workspaces/" + workspace + "/events");
                SseStream elsewhere = operator.stream("/workspaces/" + workspace + "/events")) {
            operator.command(sessions.get(1), "start", "{}").expect(200);
            stream.awaitStatus("running");

            tell(3, "drain");
            tell(3, "drain");

            stream.awaitEnd();
            elsewhere.await(event -> event.type().equals("agent_migrated")
                    && event.text("session_id").equals(sessions.getFirst())
                    && event.text("reason").equals("drain")
                    && event.text("from_server_hostname").equals("s3")
                    && event.text("status").equals("paused")
                    && event.text("epoch").equals("2"));
            await().until(() -> servers.living("s3").get("sessions").asInt() == 0);
            assertThat(servers.get(3).statusOf("/q/health/ready")).isEqualTo(503);
            assertThat(servers.get(3).statusOf("/q/health/live")).isEqualTo(200);
            // EventSource would give up for good on any other status
            try (SseStream refused = there.stream("/workspaces/" + workspace + "/events")) {
                assertThat(refused.status()).isEqualTo(200);
                refused.awaitEnd();
                assertThat(refused.retry()).isNotNull();
                // behind a balancer of connections it would come back to this server for ever
                assertThat(refused.header("connection")).isEqualTo("close");
                assertThat(refused.lastId()).isNull();
            }
            for (String id : sessions) {
                JsonNode session = there.session(id);
                assertThat(session.get("server_hostname").asText()).isNotEqualTo("s3");
                assertThat(session.get("epoch").asInt()).isEqualTo(2);
            }
            assertThat(hosts(10)).doesNotContainKey("s3");
        } finally {
            tell(3, "uncordon");
        }
        await().until(() -> servers.get(3).statusOf("/q/health/ready") == 200);
        try (SseStream again = there.stream("/workspaces/" + workspace + "/events")) {
            assertThat(again.status()).isEqualTo(200);
        }
    }

    @Test
    void aRestartIsANewMemberAndTheOldOneIsGone() throws InterruptedException {
        Service fourth = servers.add(Map.of("server.hostname", "fourth"));
        String id = servers.living("fourth").get("id").asText();

        fourth.close();

        JsonNode gone = operator.get("/servers/" + id).expect(200).get("server");
        assertThat(gone.get("state").asText()).isEqualTo("gone");
        assertThat(gone.get("gone_reason").asText()).isEqualTo("left");
        assertThat(gone.get("gone_at").isNull()).isFalse();
        operator.post("/servers/" + id + "/uncordon", null).expectProblem(409, "CONFLICT");
        Service fifth = servers.add(Map.of("server.hostname", "fourth"));
        assertThat(servers.living("fourth").get("id").asText()).isNotEqualTo(id);
        fifth.close();
        servers.awaitMembers(3);
    }

    @Test
    void requiredLabelsAreHonoured() {
        JsonNode session;
        try (Service _ = servers.add(Map.of("server.hostname", "gpu", "server.labels", "gpu=true,zone=a"))) {
            servers.awaitMembers(4);
            session = operator.newSession(
                    workspace, "{\"agent_type\":\"assistant\",\"model\":\"m\",\"requires\":{\"gpu\":\"true\"}}");

            assertThat(session.get("server_hostname").asText()).isEqualTo("gpu");
            assertThat(session.at("/requires/gpu").asText()).isEqualTo("true");
            assertThat(servers.living("gpu").at("/labels/zone").asText()).isEqualTo("a");
            assertThat(create("server", "no")
                            .expectProblem(503, "UNAVAILABLE")
                            .at("/fields/requires")
                            .asText())
                    .isNotEmpty();
            assertThat(create("external", "true")
                            .expectProblem(400, "VALIDATION_ERROR")
                            .at("/fields/requires")
                            .asText())
                    .isNotEmpty();
        }

        // nobody else may have it: it waits, and is not lost
        String id = session.get("id").asText();
        operator.command(id, "start", "{}").expect(200);
        try (Service _ = servers.add(Map.of("server.hostname", "gpu2", "server.labels", "gpu=true"))) {
            await().until(() ->
                    operator.session(id).get("server_hostname").asText().equals("gpu2"));
            assertThat(operator.session(id).get("status").asText()).isEqualTo("running");
            operator.delete("/agent-sessions/" + id).expect(200);
        }
        servers.awaitMembers(3);
    }

    private static Api.Reply create(String hosting, String gpu) {
        return operator.post(
                "/workspaces/" + workspace + "/agent-sessions",
                "{\"agent_type\":\"assistant\",\"model\":\"m\",\"hosting\":\"" + hosting + "\",\"requires\":{\"gpu\":\""
                        + gpu + "\"}}");
    }

    @Test
    void rowsOfServersLongGoneAreRemoved() {
        UUID old = UUID.randomUUID();
        Postgres.execute(
                servers.database(),
                "insert into servers (id, hostname, version, renewed_at, left_at)"
                        + " values (?, 'old', '0', now() - interval '2 hours', now() - interval '2 hours')",
                old);
        await().until(() -> servers.list().stream()
                .noneMatch(server -> server.get("id").asText().equals(old.toString())));
    }

    @Test
    void answersAreTheSameUnderOneIdempotencyKeyOnEveryServer() {
        String id = servers.id(2);
        String path = "/servers/" + id + "/cordon";
        JsonNode first =
                operator.post(path, null, "Idempotency-Key", "cordon-once").expect(200);
        tell(2, "uncordon");

        JsonNode again = operator.at(servers.get(3))
                .post(path, null, "Idempotency-Key", "cordon-once")
                .expect(200);

        assertThat(again).isEqualTo(first);
        assertThat(servers.living("s2").get("state").asText()).isEqualTo("active");
    }

    private static Api.Reply create(Api caller, String name, String key) {
        return caller.post("/workspaces", "{\"name\":\"" + name + "\"}", "Idempotency-Key", key);
    }

    private static long workspaces(Api user) {
        return user.get("/workspaces").expect(200).get("count").asLong();
    }

    /** What they ask under one {@code Idempotency-Key}, at two servers, is done once. */
    @Test
    void fiftyCallersAtOnce() {
        Api user = Api.user(servers.get(1));
        Api elsewhere = user.at(servers.get(2));
        for (int round = 0; round < 5; round++) {
            String key = "key-" + round;
            long before = workspaces(user);

            List<Api.Reply> replies = AtOnce.run(50, i -> create(i % 2 == 0 ? user : elsewhere, "Once", key));

            List<Api.Reply> done =
                    replies.stream().filter(reply -> reply.status() == 201).toList();
            assertThat(done).isNotEmpty();
            assertThat(done.stream().map(Api.Reply::json).collect(Collectors.toSet()))
                    .hasSize(1);
            assertThat(replies).filteredOn(reply -> reply.status() != 201).allSatisfy(reply -> {
                JsonNode problem = reply.expectProblem(409, "CONFLICT");
                assertThat(problem.get("in_flight").asBoolean()).isTrue();
                assertThat(reply.header("retry-after")).isEqualTo("1");
            });
            assertThat(workspaces(user)).isEqualTo(before + 1);
            assertThat(create(elsewhere, "Once", key).json())
                    .isEqualTo(done.getFirst().json());
        }
    }

    /** An {@code Idempotency-Key} is the same one. */
    @Test
    void onAnyServer() {
        Api user = Api.user(servers.get(1));
        Api elsewhere = user.at(servers.get(2));
        Api.Reply first = create(user, "x", "key");

        Api.Reply again = create(elsewhere, "x", "key");

        assertThat(again.expect(201)).isEqualTo(first.expect(201));
        assertThat(again.header("location")).isEqualTo(first.header("location"));
        create(elsewhere, "y", "key").expectProblem(422, "IDEMPOTENCY_MISMATCH");
        assertThat(workspaces(user)).isEqualTo(1);
    }
}
