package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What time does to sessions and to keys. The tests move the database's time stamps, not the clock, and let one sweep pass. */
@Tag("jvm")
class SweepIT {
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of(
                "sessions.sweep-interval", "1S", "sweeps.retention-interval", "1S", "sweeps.behind-after", "60S"));
        owner = Api.user(service);
        workspace = owner.newWorkspace();
        Postgres.neverAway(service.databaseUrl());
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    private static int sql(String sql, Object... arguments) {
        return Postgres.execute(service.databaseUrl(), sql, arguments);
    }

    private static Object value(String sql) {
        return Postgres.query(service.databaseUrl(), sql)
                .getFirst()
                .values()
                .iterator()
                .next();
    }

    private static String external(String status) {
        return in(status, owner.newExternalSession(workspace));
    }

    private static String hosted(String status) {
        return in(status, owner.newSession(workspace));
    }

    private static String in(String status, JsonNode session) {
        String id = session.get("id").asText();
        if (!status.equals("idle")) {
            owner.command(id, "start", "{}").expect(200);
        }
        if (status.equals("paused")) {
            owner.command(id, "pause", "{}").expect(200);
        }
        return id;
    }

    /** Lets everything about the session have happened this long ago. */
    private static void past(String id, Duration ago) {
        Object[] arguments = {ago.toSeconds(), id};
        sql(
                "update session_heartbeats set beat_at = beat_at - ? * interval '1 second' where session_id = ?::uuid",
                arguments);
        assertThat(sql(
                        "update agent_sessions set updated_at = updated_at - ? * interval '1 second' where id = ?::uuid",
                        arguments))
                .isEqualTo(1);
        sql(
                "update agent_sessions set created_at = created_at - ? * interval '1 second' where id = ?::uuid",
                arguments);
    }

    /** Keeps all servers from sweeping while a test prepares what they shall find. */
    private static AutoCloseable noSweeps() {
        await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> sql("update sweeps set started_at = now() + interval '1 hour'"
                                + " where name = 'sessions' and finished_at >= started_at")
                        == 1);
        return () -> sql("update sweeps set started_at = '-infinity' where name = 'sessions'");
    }

    /** Waits until a sweep that began after this call has ended. */
    private static void letASweepPass(String name) {
        Object now = value("select now()::text");
        await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> (Boolean) value("select exists (select from sweeps where name = '" + name
                        + "' and started_at > '" + now + "' and finished_at >= started_at)"));
    }

    private static JsonNode awaitStatus(String id, String status) {
        await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> owner.session(id).get("status").asText().equals(status));
        return owner.session(id);
    }

    private static JsonNode lastEvent(String id) {
        return owner.changes(id).getLast().get("data");
    }

    @Test
    void silentAndRunningIsAnError() {
        String id = external("running");
        past(id, Duration.ofHours(1));

        JsonNode session = awaitStatus(id, "error");

        assertThat(session.get("error_message").asText()).matches("No heartbeat for 360\\d s");
        assertThat(session.get("completed_at").isNull()).isFalse();
        assertThat(session.get("version").asInt()).isEqualTo(3);
        assertThat(lastEvent(id).get("reason").asText()).isEqualTo("stale");
        assertThat(lastEvent(id).get("previous_status").asText()).isEqualTo("running");
        assertThat(Metrics.of(service).value("sessions_ended_total", "reason=\"stale\"", "status=\"error\""))
                .isPositive();
        assertThat(owner.statuses(id)).containsExactly("idle", "running", "error");
        JsonNode lease = owner.command(id, "heartbeat", "{\"epoch\":1}").expect(200);
        assertThat(lease.get("lease_extended").asBoolean()).isFalse();
        assertThat(lease.get("desired_status").asText()).isEqualTo("error");
    }

    @Test
    void silentAndIdleIsCancelled() {
        String id = external("idle");
        past(id, Duration.ofSeconds(121));

        JsonNode session = awaitStatus(id, "cancelled");

        assertThat(session.get("error_message").isNull()).isTrue();
        assertThat(lastEvent(id).get("reason").asText()).isEqualTo("stale");
    }

    @Test
    void theEventReachesAStream() {
        String id = external("running");
        try (SseStream stream = owner.stream("/workspaces/" + workspace + "/chats/"
                + owner.session(id).get("chat_id").asText() + "/events")) {
            past(id, Duration.ofHours(1));

            SseStream.Event event = stream.awaitStatus("error");

            assertThat(event.text("reason")).isEqualTo("stale");
            assertThat(event.text("session_id")).isEqualTo(id);
            stream.awaitEnd();
        }
    }

    @Test
    void aBeatingSessionIsNeverSwept() throws Exception {
        String beating = external("running");
        String silent = external("running");
        try (AutoCloseable _ = noSweeps()) {
            past(beating, Duration.ofHours(1));
            past(silent, Duration.ofHours(1));
            owner.command(beating, "heartbeat", "{\"epoch\":1}").expect(200);
        }

        awaitStatus(silent, "error");
        letASweepPass("sessions");
        assertThat(owner.statuses(beating)).containsExactly("idle", "running");
    }

    @Test
    void aCommandIsASignOfLifeToo() throws Exception {
        String resumed = external("paused");
        past(resumed, Duration.ofHours(1));

        // its agent, silent while it was paused, gets the time to beat again
        owner.command(resumed, "resume", "{}").expect(200);
        letASweepPass("sessions");

        assertThat(owner.session(resumed).get("status").asText()).isEqualTo("running");
    }

    @Test
    void aPauseIsLeftAlone() {
        List<String> paused = List.of(external("paused"), hosted("paused"));
        paused.forEach(id -> past(id, Duration.ofDays(20)));

        letASweepPass("sessions");

        assertThat(paused)
                .allSatisfy(id ->
                        assertThat(owner.session(id).get("status").asText()).isEqualTo("paused"));
    }

    @ParameterizedTest
    @CsvSource({"idle", "running"})
    void aPauseThatHasRunOutIsOver(String before) {
        String id = hosted(before);
        JsonNode pause =
                owner.command(id, "pause", "{\"expires_in\":3600}").expect(200).at("/session/pause");
        letASweepPass("sessions");
        assertThat(owner.session(id).get("status").asText()).isEqualTo("paused");

        sql("update agent_sessions set pause_expires_at = now() - interval '1 second' where id = ?::uuid", id);

        JsonNode session = awaitStatus(id, before);
        assertThat(session.get("pause").isNull()).isTrue();
        assertThat(lastEvent(id).get("reason").asText()).isEqualTo("pause_expired");
        JsonNode late = owner.command(
                        id, "resume", "{\"pause_id\":\"" + pause.get("id").asText() + "\"}")
                .expect(200);
        assertThat(late.at("/session/version"))
                .as("somebody resumed it already")
                .isEqualTo(session.get("version"));
    }

    @Test
    void hostedAndIdleForTooLongIsCancelled() {
        String inactive = hosted("idle");
        String active = hosted("idle");
        String running = hosted("running");
        String external = external("idle");
        past(inactive, Duration.ofHours(25));
        past(active, Duration.ofHours(23));
        past(running, Duration.ofHours(25));
        sql("update agent_sessions set updated_at = now() - interval '25 hours' where id = ?::uuid", external);

        awaitStatus(inactive, "cancelled");

        assertThat(lastEvent(inactive).get("reason").asText()).isEqualTo("inactive");
        letASweepPass("sessions");
        assertThat(owner.session(active).get("status").asText()).isEqualTo("idle");
        assertThat(owner.session(running).get("status").asText()).isEqualTo("running");
        assertThat(owner.session(external).get("status").asText()).isEqualTo("idle");
    }

    @Test
    void whatHasEndedIsNotTouched() {
        String completed = external("running");
        owner.command(completed, "complete", "{}").expect(200);
        String cancelled = hosted("idle");
        owner.delete("/agent-sessions/" + cancelled).expect(200);
        past(completed, Duration.ofDays(2));
        past(cancelled, Duration.ofDays(2));
        List<JsonNode> before = List.of(owner.session(completed), owner.session(cancelled));

        letASweepPass("sessions");
        letASweepPass("sessions-retention");

        assertThat(List.of(owner.session(completed), owner.session(cancelled))).isEqualTo(before);
    }

    @Test
    void whatHasEndedLongAgoIsRemoved() {
        String mine = owner.newWorkspace();
        String old = owner.newExternalSession(mine).get("id").asText();
        String younger = owner.newSession(mine).get("id").asText();
        String live = owner.newSession(mine).get("id").asText();
        owner.delete("/agent-sessions/" + old).expect(200);
        owner.delete("/agent-sessions/" + younger).expect(200);
        sql("update agent_sessions set ended_at = now() - interval '31 days' where id = ?::uuid", old);
        sql("update agent_sessions set ended_at = now() - interval '29 days' where id = ?::uuid", younger);

        await().atMost(Duration.ofSeconds(20))
                .until(() -> owner.get("/agent-sessions/" + old).status() == 404);
        letASweepPass("sessions-retention");

        JsonNode all =
                owner.get("/workspaces/" + mine + "/agent-sessions?status=all").expect(200);
        assertThat(all.get("sessions")
                        .valueStream()
                        .map(session -> session.get("id").asText()))
                .containsExactlyInAnyOrder(younger, live);
        assertThat(all.get("total").asInt()).isEqualTo(2);
    }

    @Test
    void aKeyIsForgottenAfterItsTime() {
        Api user = Api.user(service);
        user.post("/workspaces", "{\"name\":\"Old\"}", "Idempotency-Key", "yesterday")
                .expect(201);
        int aged = sql(
                "update idempotency_keys set created_at = now() - interval '25 hours' where user_id = ?",
                user.userId());
        assertThat(aged).isEqualTo(1);

        letASweepPass("housekeeping");

        assertThat(value("select count(*) from idempotency_keys where user_id = '" + user.userId() + "'"))
                .isEqualTo(0L);
        user.post("/workspaces", "{\"name\":\"New\"}", "Idempotency-Key", "yesterday")
                .expect(201);
        assertThat(user.get("/workspaces").expect(200).get("count").asInt()).isEqualTo(2);
    }

    /** One statement's events share its transaction's places in the log, or they would stand in those of others. */
    @Test
    void aGreatManyAtOnceStayInTheirPlaces() {
        String mine = owner.newWorkspace();
        sql("""
            insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode, hosting,
                created_at, updated_at)
            select gen_random_uuid(), ?::uuid, gen_random_uuid(), gen_random_uuid(), 'builder', 'idle', 'm', 'build',
                   'server', now() - interval '2 days', now() - interval '2 days'
            from generate_series(1, 9000)""", mine);
        sql(
                "update workspace_usage set live_sessions = 9000, total_sessions = 9000 where workspace_id = ?::uuid",
                mine);

        await().atMost(Duration.ofSeconds(30))
                .until(() -> owner.get("/workspaces/" + mine)
                                .expect(200)
                                .at("/workspace/live_sessions")
                                .asInt()
                        == 0);

        assertThat(value("select count(*) from events where workspace_id = '" + mine + "'"))
                .isEqualTo(9_000L);
        assertThat(value("select count(*) from events where workspace_id = '" + mine
                        + "' and position >> 16 <> xmin::text::bigint"))
                .isEqualTo(0L);
    }

    @Test
    void countersStayRightWhateverHappens() throws Exception {
        List<String> workspaces = AtOnce.run(3, _ -> owner.newWorkspace());
        AtOnce.run(6, racer -> {
            ThreadLocalRandom random = ThreadLocalRandom.current();
            List<String> mine = new ArrayList<>();
            for (int i = 0; i < 120; i++) {
                String at = workspaces.get(random.nextInt(workspaces.size()));
                if (mine.size() < 5 || random.nextInt(3) == 0) {
                    JsonNode session = random.nextBoolean() ? owner.newExternalSession(at) : owner.newSession(at);
                    mine.add(session.get("id").asText());
                    continue;
                }
                String id = mine.get(random.nextInt(mine.size()));
                switch (random.nextInt(8)) {
                    case 0 -> assertAnswered(owner.delete("/agent-sessions/" + id));
                    case 1 -> assertAnswered(owner.command(id, "start", "{}"));
                    case 2 -> assertAnswered(owner.command(id, "complete", "{}"));
                    case 3 -> assertAnswered(owner.command(id, "fail", "{\"error_message\":\"x\"}"));
                    case 4 -> assertAnswered(owner.command(id, "pause", "{\"expires_in\":1}"));
                    case 5 ->
                        sql("update session_heartbeats set beat_at = '2000-01-01' where session_id = ?::uuid", id);
                    case 6 -> sql("update agent_sessions set updated_at = '2000-01-01' where id = ?::uuid", id);
                    default ->
                        sql(
                                "update agent_sessions set ended_at = '2000-01-01' where id = ?::uuid"
                                        + " and ended_at is not null",
                                id);
                }
            }
            return null;
        });

        for (String at : workspaces) {
            try (AutoCloseable _ = noSweeps()) {
                Object live = value(
                        "select count(*) from agent_sessions where ended_at is null and workspace_id = '" + at + "'");
                String list = "/workspaces/" + at + "/agent-sessions?limit=1";
                assertThat(owner.get(list).expect(200).get("total").asLong()).isEqualTo(live);
                assertThat(owner.get("/workspaces/" + at)
                                .expect(200)
                                .at("/workspace/live_sessions")
                                .asLong())
                        .isEqualTo(live);
                assertThat(owner.get(list + "&status=idle&status=running&status=paused")
                                .expect(200)
                                .get("total")
                                .asLong())
                        .isEqualTo(live);
            }
            // removal goes on meanwhile, in one statement with its count
            assertThat(value("select total_sessions = (select count(*) from agent_sessions where workspace_id = '" + at
                            + "') from workspace_usage where workspace_id = '" + at + "'"))
                    .isEqualTo(true);
        }
    }

    private static void assertAnswered(Api.Reply reply) {
        assertThat(reply.status()).as(reply.text()).isIn(200, 404, 409);
    }

    @Test
    void operatorsSeeTheSweeps() {
        letASweepPass("sessions");
        letASweepPass("sessions-retention");

        JsonNode health = owner.get("/q/health/well").expect(200);
        assertThat(health.get("status").asText()).isEqualTo("UP");
        JsonNode sweeps = health.get("checks")
                .valueStream()
                .filter(check -> check.get("name").asText().equals("sweeps"))
                .findFirst()
                .orElseThrow();
        assertThat(sweeps.get("data").properties().stream().map(Map.Entry::getKey))
                .contains("sessions_age_ms", "sessions-retention_age_ms", "events-retention_age_ms");
        Metrics metrics = Metrics.of(service);
        assertThat(metrics.value("sweep_age_seconds", "sweep=\"sessions\"")).isBetween(0.0, 30.0);

        double swept = Math.max(0, metrics.value("sweep_swept_total", "sweep=\"sessions\""));
        String id = external("running");
        past(id, Duration.ofHours(1));
        awaitStatus(id, "error");
        letASweepPass("sessions");
        assertThat(Metrics.of(service).value("sweep_swept_total", "sweep=\"sessions\""))
                .isGreaterThan(swept);
    }

    @Test
    void operatorsSeeThatTheSweepsAreBehind() throws Exception {
        letASweepPass("sessions");
        try (AutoCloseable _ = noSweeps()) {
            sql("update sweeps set finished_at = now() - interval '10 minutes' where name = 'sessions'");

            await().atMost(Duration.ofSeconds(10))
                    .until(() -> owner.get("/q/health/well").status() == 503);
            assertThat(Metrics.of(service).value("sweep_age_seconds", "sweep=\"sessions\""))
                    .isGreaterThan(500);
            assertThat(owner.get("/q/health/ready").status())
                    .as("it goes on serving")
                    .isEqualTo(200);
        }
        await().atMost(Duration.ofSeconds(10))
                .until(() -> owner.get("/q/health/well").status() == 200);
    }
}
