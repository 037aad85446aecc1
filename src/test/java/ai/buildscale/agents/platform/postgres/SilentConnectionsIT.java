package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chaos.Relay;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Connections to Postgres that die without a word: they are given up, whoever holds them, and others take their place. */
@Tag("jvm")
class SilentConnectionsIT {
    /** Enough to meet every event loop. */
    private static final int CROWD = 32;
    /** A statement's own bound, and the looks of who watches connections, and a busy machine. */
    private static final Duration SOON = Duration.ofSeconds(12);

    private static final int POSTGRES = Postgres.shared().port();
    private static final Relay RELAY = Relay.to(POSTGRES);
    private static final String DATABASE = Postgres.newDatabase();

    private static Service service;
    private static Service elsewhere;
    private static Api user;

    @BeforeAll
    static void start() {
        String behind = DATABASE.replace(":" + POSTGRES + "/", ":" + RELAY.port() + "/");
        // who does not hear wake-ups waits long for events
        Map<String, String> deaf = Map.of("events.poll-interval", "60S");
        service = Service.start(behind, deaf);
        elsewhere = Service.start(DATABASE, Map.of());
        user = Api.user(service);
    }

    @AfterAll
    static void stop() {
        service.close();
        elsewhere.close();
        RELAY.close();
    }

    @BeforeEach
    void allConnectionsAreOpen() {
        await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 200);
        assertThat(writes()).containsOnly(201);
    }

    private static List<Integer> writes() {
        return AtOnce.run(
                CROWD, _ -> user.post("/workspaces", "{\"name\":\"A\"}").status());
    }

    private static String now() {
        return Postgres.query(DATABASE, "select now()::text as now")
                .getFirst()
                .get("now")
                .toString();
    }

    /** On other connections, and no one is left of those that are dead. */
    private static void assertServedAgain(Instant since) {
        await().atMost(SOON.multipliedBy(2)).until(() -> writes().stream().allMatch(status -> status == 201));
        assertThat(Duration.between(since, Instant.now())).isLessThan(SOON);
        await().atMost(SOON).until(() -> RELAY.silent() == 0);
        await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 200);
        assertThat(writes()).containsOnly(201);
    }

    @Test
    void allOfThem() {
        String before = now();
        Instant start = Instant.now();
        RELAY.silence(1);
        assertThat(RELAY.silent()).isGreaterThan(10);

        Set<Integer> ready = new HashSet<>();
        await().atMost(SOON).until(() -> {
            ready.add(service.statusOf("/q/health/ready"));
            return ready.contains(503);
        });
        assertServedAgain(start);

        assertThat(Metrics.of(service).value("database_connections_given_up_total", "reason=\"silent\""))
                .isGreaterThan(10);
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(Postgres.query(
                                DATABASE,
                                "select from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory'"
                                        + " and datname = current_database() and client_port is not null"
                                        + " and backend_start > '" + before + "'"))
                        .as("the presence lock")
                        .hasSize(1));
        assertThatWakeUpsAreHeard();
    }

    private static void assertThatWakeUpsAreHeard() {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        try (SseStream stream = user.stream("/workspaces/" + workspace + "/events")) {
            user.at(elsewhere).command(session, "pause", "{}").expect(200);
            stream.awaitStatus("paused");
        }
    }

    @Test
    void someOfThem() {
        Instant start = Instant.now();
        RELAY.silence(2);

        assertServedAgain(start);
    }

    @Test
    void whileNobodyAsksForAnything() {
        RELAY.silence(1);

        await().atMost(SOON).until(() -> RELAY.silent() == 0);

        assertThat(writes()).containsOnly(201);
        assertThat(service.statusOf("/q/health/ready")).isEqualTo(200);
    }

    @Test
    void thoseThatAreBeingOpened() {
        RELAY.silence(1);
        RELAY.swallow(true);
        await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 503);
        assertThat(writes()).containsOnly(503);
        // the pools are full of connections that are never opened
        assertThat(writes()).containsOnly(503);

        RELAY.swallow(false);

        assertServedAgain(Instant.now());
    }
}
