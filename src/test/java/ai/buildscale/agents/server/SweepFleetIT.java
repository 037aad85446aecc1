package ai.buildscale.agents.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Several servers on one database: they sweep it together. */
@Tag("jvm")
class SweepFleetIT {
    private static final Map<String, String> SETTINGS = Map.of(
            "sessions.sweep-interval", "1S",
            "sessions.sweep-batch", "20",
            "sessions.stale-threshold", "6S",
            "server.lease-renewal", "1S");

    private static final List<Service> FLEET = new ArrayList<>();
    private static String database;
    private static Api owner;

    @BeforeAll
    static void start() {
        database = Postgres.newDatabase();
        FLEET.add(Service.start(database, SETTINGS));
        for (int i = 0; i < 2; i++) {
            FLEET.add(Service.launch(database, SETTINGS));
        }
        FLEET.forEach(Service::awaitReady);
        owner = Api.user(FLEET.getFirst());
        Postgres.neverAway(database);
    }

    @AfterAll
    static void stop() {
        FLEET.forEach(Service::close);
        FLEET.clear();
    }

    private static Object value(String sql) {
        return Postgres.query(database, sql).getFirst().values().iterator().next();
    }

    @Test
    void threeAtOnceSweepEachSessionOnce() throws SQLException {
        String workspace = owner.newWorkspace();
        Postgres.execute(
                database,
                "insert into sweeps (name, started_at) values ('sessions', 'infinity')"
                        + " on conflict (name) do update set started_at = excluded.started_at");
        insertSilentSessions(workspace, 2_000);

        try (SseStream stream = owner.at(FLEET.get(1)).stream("/workspaces/" + workspace + "/events")) {
            try (Connection counters = Postgres.connect(database)) {
                counters.setAutoCommit(false);
                try (var lock =
                        counters.prepareStatement("select from workspace_usage where workspace_id = ? for update")) {
                    lock.setObject(1, UUID.fromString(workspace));
                    lock.execute();
                }
                // one server sweeps in each interval: take the claim away until all three are at it, each with its
                // batch
                await().atMost(Duration.ofSeconds(20))
                        .pollInterval(Duration.ofMillis(20))
                        .until(() -> {
                            Postgres.execute(database, "delete from sweeps where name = 'sessions'");
                            return value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                                            + " and datname = current_database() and query like '%due as%'")
                                    .equals(3L);
                        });
                counters.commit();
            }

            stream.awaitCount(2_000);
            assertThat(stream.events().stream()
                            .map(event -> event.text("session_id"))
                            .distinct())
                    .hasSize(2_000);
            assertThat(stream.events()).allMatch(event -> event.text("reason").equals("stale"));
        }

        assertThat(value("select count(*) from agent_sessions where workspace_id = '" + workspace
                        + "' and status = case when agent_type = 'builder' then 'error' else 'cancelled' end"))
                .isEqualTo(2_000L);
        assertThat(value("select count(*) from events where workspace_id = '" + workspace + "' and ends_session"))
                .isEqualTo(2_000L);
        JsonNode seen = owner.get("/workspaces/" + workspace).expect(200).get("workspace");
        assertThat(seen.get("live_sessions").asInt()).isZero();
        assertThat(FLEET.stream().mapToDouble(SweepFleetIT::swept))
                .as("swept by each")
                .allMatch(swept -> swept >= 20);
        assertThat(FLEET.stream().mapToDouble(SweepFleetIT::swept).sum()).isEqualTo(2_000.0);
    }

    /** Every other one idle, of the type assistant; the rest running, of the type builder. */
    private static void insertSilentSessions(String workspace, int count) {
        Postgres.execute(database, """
                with created as (
                    insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                        hosting, created_at, updated_at)
                    select gen_random_uuid(), ?::uuid, gen_random_uuid(), gen_random_uuid(),
                           case when i % 2 = 0 then 'assistant' else 'builder' end,
                           case when i % 2 = 0 then 'idle' else 'running' end,
                           'm', 'build', 'external', now() - interval '1 hour', now() - interval '1 hour'
                    from generate_series(1, ?) i
                    returning id, workspace_id),
                beating as (
                    insert into session_heartbeats select id, now() - interval '1 hour' from created)
                update workspace_usage set live_sessions = ?, total_sessions = ?
                where workspace_id in (select workspace_id from created)""", workspace, count, count, count);
    }

    private static double swept(Service service) {
        return Metrics.of(service).value("sweep_swept_total", "sweep=\"sessions\"");
    }

    @Test
    void theFleetServesOneRegistry() {
        String workspace = owner.newWorkspace();
        List<String> hosts = IntStream.range(0, 6)
                .mapToObj(i -> owner.at(FLEET.get(i % 3))
                        .newSession(workspace)
                        .get("server_id")
                        .asText())
                .toList();
        JsonNode session = owner.newSession(workspace);
        String id = session.get("id").asText();
        String host = session.get("server_id").asText();
        owner.at(FLEET.get(1)).command(id, "start", "{}").expect(200);
        owner.at(FLEET.get(2)).command(id, "pause", "{}").expect(200);

        assertThat(owner.statuses(id)).containsExactly("idle", "running", "paused");
        assertThat(owner.at(FLEET.get(2))
                        .get("/workspaces/" + workspace + "/agent-sessions?server_id=" + hosts.getFirst())
                        .expect(200)
                        .get("total")
                        .asLong())
                .isEqualTo(Stream.concat(hosts.stream(), Stream.of(host))
                        .filter(hosts.getFirst()::equals)
                        .count());
    }
}
