package ai.buildscale.agents.server;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A session has one owner at a time, whatever happens to servers. */
class OwnershipIT {
    private static List<JsonNode> events(Api api, String session, String type) {
        return api.history(session).stream()
                .filter(event -> event.get("event").asText().equals(type))
                .toList();
    }

    private static void assertTakenOver(Api api, String session, String from, String reason, String status) {
        JsonNode now = api.session(session);
        assertThat(now.get("server_hostname").asText()).isNotEqualTo(from);
        assertThat(now.get("epoch").asInt()).isEqualTo(2);
        assertThat(now.get("status").asText()).isEqualTo(status);
        List<JsonNode> recovered = events(api, session, "agent_recovered");
        assertThat(recovered).hasSize(1);
        JsonNode data = recovered.getFirst().get("data");
        assertThat(data.get("from_server_hostname").asText()).isEqualTo(from);
        assertThat(data.get("reason").asText()).isEqualTo(reason);
        assertThat(data.get("server_id")).isEqualTo(now.get("server_id"));
        assertThat(data.get("epoch").asInt()).isEqualTo(2);
    }

    @Test
    void whoIsKilledIsNoticedByItsConnection() throws InterruptedException {
        // a lease that would not run out within this test
        try (Servers servers = Servers.start(3, Map.of("server.lost-after", "60S"))) {
            Api api = servers.operator();
            String workspace = api.newWorkspace();
            List<String> lost = servers.sessionsOn(3, 10, api, workspace);
            String external = api.newExternalSession(workspace).get("id").asText();
            api.command(lost.getFirst(), "start", "{}").expect(200);
            api.command(lost.get(1), "pause", "{}").expect(200);
            api.delete("/agent-sessions/" + lost.get(2) + "?wait=5").expect(200);
            try (SseStream stream = api.at(servers.get(2)).stream("/workspaces/" + workspace + "/events")) {
                servers.get(3).kill();
                Instant killed = Instant.now();

                stream.await(event -> event.type().equals("agent_recovered")
                        && event.text("session_id").equals(lost.getFirst())
                        && event.text("status").equals("running"));

                assertThat(Duration.between(killed, Instant.now())).isLessThan(Duration.ofSeconds(10));
            }
            await().until(() -> api.session(lost.getLast()).get("epoch").asInt() == 2);
            assertTakenOver(api, lost.getFirst(), "s3", "connection_lost", "running");
            assertTakenOver(api, lost.get(1), "s3", "connection_lost", "paused");
            assertTakenOver(api, lost.getLast(), "s3", "connection_lost", "idle");
            assertThat(api.session(lost.get(2)).get("epoch").asInt())
                    .as("it had ended")
                    .isEqualTo(1);
            assertThat(api.session(external).get("epoch").asInt()).isEqualTo(1);
            assertThat(events(api, external, "agent_recovered")).isEmpty();
            assertThat(api.session(lost.getFirst()).get("last_heartbeat").asText())
                    .isGreaterThan(
                            api.session(lost.getFirst()).get("created_at").asText());
            double recovered = Stream.of(1, 2)
                    .mapToDouble(i -> Metrics.of(servers.get(i)).value("server_recovered_total"))
                    .sum();
            assertThat(recovered).isGreaterThanOrEqualTo(9);
        }
    }

    @Test
    void aZombieOwnsNothingAndJoinsAsANewMember() {
        try (Servers servers = Servers.start(3)) {
            Api api = servers.operator();
            String workspace = api.newWorkspace();
            List<String> sessions = servers.sessionsOn(2, 10, api, workspace);
            String old = servers.id(2);
            api.command(sessions.getFirst(), "start", "{}").expect(200);

            servers.signal(2, "STOP");

            await().until(() -> sessions.stream()
                    .allMatch(id -> api.session(id).get("epoch").asInt() == 2));
            // a command that waits for the zombie would be carried out by it
            api.command(sessions.getFirst(), "pause", "{}").expect(200);
            servers.signal(2, "CONT");
            await().until(() -> servers.get(2).log().contains("is fenced: the others have given it up"));
            servers.awaitMembers(3);

            assertThat(servers.id(2)).isNotEqualTo(old);
            for (String id : sessions) {
                assertTakenOver(api, id, "s2", "lease_expired", id.equals(sessions.getFirst()) ? "paused" : "idle");
            }
            assertThat(api.get("/servers/" + old)
                            .expect(200)
                            .at("/server/gone_reason")
                            .asText())
                    .isEqualTo("lease_expired");
            assertThat(Metrics.of(servers.get(2)).value("server_fenced_total")).isEqualTo(1.0);
            assertThat(servers.get(2).log()).contains("does not act as an owner any more");
            // it takes part again
            servers.sessionsOn(2, 1, api, workspace);
        }
    }

    @Test
    void aServerThatOnlyLosesItsConnectionsIsNotGivenUp() {
        try (Servers servers = Servers.start(2, Map.of("server.lost-after", "60S"))) {
            Api api = servers.operator();
            String workspace = api.newWorkspace();
            String id = servers.sessionsOn(2, 1, api, workspace).getFirst();

            for (int i = 0; i < 3; i++) {
                Postgres.execute(
                        servers.database(),
                        "select pg_terminate_backend(l.pid) from pg_locks l"
                                + " join pg_database d on d.oid = l.database and d.datname = current_database()"
                                + " where l.locktype = 'advisory' and l.classid = 1936028260");
                await().until(() -> Postgres.query(
                                        servers.database(),
                                        "select 1 from servers where watched and server_is_present(id)")
                                .size()
                        == 2);
            }

            assertThat(api.session(id).get("epoch").asInt()).isEqualTo(1);
            assertThat(servers.list())
                    .hasSize(2)
                    .allMatch(server -> server.get("gone_at").isNull());
        }
    }

    @Test
    void afterAllWereKilledAStartBringsBackEverything() throws InterruptedException {
        Map<String, String> impatient = Map.of(
                "sessions.stale-threshold", "2S", "sessions.heartbeat-interval", "1S", "sessions.sweep-interval", "1S");
        try (Servers servers = Servers.start(2, impatient)) {
            Api api = servers.operator();
            String workspace = api.newWorkspace();
            List<String> sessions = Stream.concat(
                            servers.sessionsOn(1, 5, api, workspace).stream(),
                            servers.sessionsOn(2, 5, api, workspace).stream())
                    .toList();
            sessions.forEach(id -> api.command(id, "start", "{}").expect(200));
            servers.get(1).kill();
            servers.get(2).kill();
            // longer than the threshold of silence
            Postgres.execute(servers.database(), "update servers set renewed_at = renewed_at - interval '10 minutes'");

            Api back = api.at(servers.add(Map.of()));

            await().until(() -> sessions.stream()
                    .allMatch(id ->
                            back.session(id).get("server_hostname").asText().equals("s3")));
            for (String id : sessions) {
                assertThat(back.session(id).get("status").asText()).isEqualTo("running");
                assertThat(events(back, id, "agent_recovered"))
                        .hasSize(back.session(id).get("epoch").asInt() - 1);
                assertThat(back.statuses(id)).containsExactly("idle", "running");
            }
        }
    }

    @Test
    void whoIsToldToStopHandsOverEverythingFirst() {
        int many = 6_000;
        try (Servers servers = Servers.start(2)) {
            Api api = servers.operator();
            String workspace = api.newWorkspace();
            Postgres.execute(servers.database(), """
                    insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                        hosting, server_id, server_hostname)
                    select next_id(), ?::uuid, gen_random_uuid(), ?, 'assistant',
                           case when i % 2 = 0 then 'idle' else 'running' end, 'm', 'chat', 'server', ?::uuid, 's2'
                    from generate_series(1, ?) i""", workspace, api.userId(), servers.id(2), many);
            // it has served requests, as one does that is stopped
            Api there = api.at(servers.get(2));
            String own = servers.sessionsOn(2, 1, there, workspace).getFirst();
            AtOnce.run(50, _ -> there.session(own));

            servers.get(2).close();

            assertThat(Postgres.query(servers.database(), """
                            select type || ' ' || (data ->> 'reason') as what, count(*) as n
                            from events where type in ('agent_migrated', 'agent_recovered')
                            group by 1"""))
                    .containsExactly(Map.of("what", "agent_migrated drain", "n", many + 1L));
            assertThat(Postgres.query(
                            servers.database(),
                            "select epoch, count(*) as n from agent_sessions where server_hostname = 's1' group by 1"
                                    + " order by n desc limit 1"))
                    .containsExactly(Map.of("epoch", 2L, "n", many + 1L));
            assertThat(servers.get(2).log()).doesNotContain("Pool closed").doesNotContain("stopping all the same");
        }
    }

    @Test
    void whoIsToldToStopRenewsItsLeaseWhileItDrains() throws SQLException {
        try (Servers servers = Servers.start(2)) {
            Api api = servers.operator();
            String session = servers.sessionsOn(2, 1, api, api.newWorkspace()).getFirst();
            String leaving = "select extract(epoch from renewed_at)::float8 as renewed, lost_at is null as kept,"
                    + " left_at is null as here from servers where hostname = 's2'";
            Set<Object> renewals = new HashSet<>();
            try (Connection holder = Postgres.connect(servers.database())) {
                holder.setAutoCommit(false);
                try (PreparedStatement lock =
                        holder.prepareStatement("select from agent_sessions where id = ? for update")) {
                    lock.setObject(1, UUID.fromString(session));
                    lock.execute();
                }
                servers.get(2).handle().destroy();
                await().until(() -> servers.get(2).log().contains("drains"));
                await().until(() -> {
                    renewals.add(Postgres.query(servers.database(), leaving)
                            .getFirst()
                            .get("renewed"));
                    return !servers.get(2).isAlive();
                });
                holder.rollback();
            }

            assertThat(renewals).as("when it said that it lives").hasSizeGreaterThan(3);
            assertThat(Postgres.query(servers.database(), leaving).getFirst())
                    .containsEntry("kept", true)
                    .containsEntry("here", false);
            await().until(() -> api.session(session).get("epoch").asInt() == 2);
        }
    }

    @Test
    void aLeaseThatTheSchedulerCannotRenewInTimeIsRefused() {
        try (Service refused = Service.launch(Postgres.newDatabase(), Map.of("server.lease-renewal", "0.5S"))) {
            await().until(() -> !refused.isAlive());

            assertThat(refused.log()).contains("server.lease-renewal (PT0.5S) must be a second at least");
        }
    }

    @Test
    void manyClaimOneSessionAndOneGetsIt() {
        try (Servers servers = Servers.start(2)) {
            Api api = servers.operator();
            String workspace = api.newWorkspace();
            List<String> sessions = servers.sessionsOn(1, 50, api, workspace);
            UUID ghost = UUID.randomUUID();
            Postgres.execute(
                    servers.database(),
                    "insert into servers (id, hostname, version, renewed_at, lost_at, lost_reason)"
                            + " values (?, 'ghost', '0', now(), now(), 'lease_expired')",
                    ghost);
            Postgres.execute(
                    servers.database(),
                    "update agent_sessions set server_id = ?, server_hostname = 'ghost' where server_hostname = 's1'",
                    ghost);

            await().until(() -> sessions.stream()
                    .allMatch(id -> api.session(id).get("epoch").asInt() > 1));

            for (String id : sessions) {
                assertTakenOver(api, id, "ghost", "lease_expired", "idle");
            }
            assertThat(Postgres.query(
                                    servers.database(),
                                    "select count(*) as n, count(distinct server_id) as servers from agent_sessions"
                                            + " where ended_at is null")
                            .getFirst())
                    .containsEntry("servers", 2L);
        }
    }
}
