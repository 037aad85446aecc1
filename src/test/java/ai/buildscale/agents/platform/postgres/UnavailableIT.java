package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.EmbeddedPostgres;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A Postgres of its own is killed, frozen, or not there yet: the service says so at once, lives, and recovers. */
@Timeout(value = 3, unit = TimeUnit.MINUTES)
@Tag("jvm")
class UnavailableIT {
    /** The database's own bound is 4 s; the rest is for a busy machine. */
    private static final Duration AT_ONCE = Duration.ofSeconds(7);

    private static EmbeddedPostgres postgres;
    private static Service service;
    private static Api user;

    @BeforeAll
    static void start() {
        postgres = Postgres.newServer("it-postgres-unavailable");
        service = Service.start(Postgres.newDatabase(postgres), Map.of());
        user = Api.user(service);
    }

    @AfterAll
    static void stop() {
        service.close();
        postgres.close();
    }

    /** Signals all of the server's processes: the one that starts the others first, so that none is born and left out. */
    private static void signal(String signal) throws Exception {
        long pid = Long.parseLong(Files.readAllLines(postgres.home().resolve("data/postmaster.pid"))
                .getFirst()
                .strip());
        ProcessHandle postmaster = ProcessHandle.of(pid).orElseThrow();
        assertThat(kill(signal, Stream.of(postmaster))).isTrue();
        // again if one of them has just gone by itself
        Awaitility.await().until(() -> kill(signal, postmaster.descendants()));
    }

    private static boolean kill(String signal, Stream<ProcessHandle> processes) throws Exception {
        List<String> command = new ArrayList<>(List.of("kill", "-" + signal));
        processes.forEach(process -> command.add(Long.toString(process.pid())));
        return new ProcessBuilder(command).inheritIO().start().waitFor() == 0;
    }

    private static void assertUnavailable(Api.Reply reply) {
        reply.expectProblem(503, "UNAVAILABLE");
        assertThat(Integer.parseInt(reply.header("retry-after"))).isPositive();
        assertThat(reply.text()).doesNotContain("Exception", "127.0.0.1", "postgres");
    }

    /** EventSource gives up for good on any status but 200 and 204. */
    private static void assertComesAgain(Api.Reply stream) {
        assertThat(stream.status()).isEqualTo(200);
        assertThat(stream.header("content-type")).startsWith("text/event-stream");
        assertThat(stream.text()).matches("(retry: \\d{4}\n)?");
    }

    /** What a caller meets while the database is away, through every way in to it. */
    private static void assertEverythingIsUnavailable(String workspace, String session) {
        List<Supplied> calls = List.of(
                () -> user.get("/workspaces"),
                () -> user.get("/workspaces/" + workspace + "/members"),
                () -> user.patch("/workspaces/" + workspace, "{\"name\":\"New\"}"),
                () -> user.get("/agent-sessions/" + session),
                () -> user.command(session, "start", "{}"),
                () -> user.post("/workspaces", "{\"name\":\"x\"}", "Idempotency-Key", "while-away"));
        List<Supplied> streams = List.of(
                () -> user.get("/workspaces/" + workspace + "/events"),
                () -> user.send("HEAD", "/workspaces/" + workspace + "/events", (byte[]) null),
                () -> Api.withToken(service, null, null)
                        .get("/workspaces/" + workspace + "/events?stream_token=anything"));
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Instant start = Instant.now();
            List<Future<Api.Reply>> replies =
                    calls.stream().map(call -> threads.submit(call::reply)).toList();
            List<Future<Api.Reply>> begun = streams.stream()
                    .map(stream -> threads.submit(stream::reply))
                    .toList();
            assertThat(replies).allSatisfy(reply -> assertUnavailable(reply.get()));
            assertThat(begun).allSatisfy(stream -> assertComesAgain(stream.get()));
            assertThat(Duration.between(start, Instant.now())).isLessThan(AT_ONCE);
        }
        assertThat(service.statusOf("/q/health/live")).isEqualTo(200);
        assertThat(service.statusOf("/q/health/ready")).isEqualTo(503);
    }

    private interface Supplied {
        Api.Reply reply();
    }

    @Test
    void killedUnderLoadAndRestarted() throws Exception {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        AtomicBoolean stop = new AtomicBoolean();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<List<String>>> writers = IntStream.range(0, 8)
                    .mapToObj(_ -> threads.submit(() -> write(workspace, stop)))
                    .toList();
            Awaitility.await()
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> user.get("/workspaces/" + workspace + "/agent-sessions?limit=1")
                                    .expect(200)
                                    .get("total")
                                    .asInt()
                            > 50);

            postgres.crash();
            assertEverythingIsUnavailable(workspace, session);
            postgres.restart();
            Instant restarted = Instant.now();
            Awaitility.await()
                    .atMost(Duration.ofSeconds(5))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> service.statusOf("/q/health/ready") == 200
                            && user.get("/workspaces").status() == 200);
            assertThat(Duration.between(restarted, Instant.now())).isLessThan(Duration.ofSeconds(5));

            stop.set(true);
            List<String> acknowledged = new ArrayList<>();
            for (Future<List<String>> writer : writers) {
                acknowledged.addAll(writer.get());
            }
            assertThat(acknowledged).hasSizeGreaterThan(50).isSubsetOf(idsInDatabase(workspace));
        }
        user.command(session, "start", "{}").expect(200);
        assertThat(user.statuses(session)).containsExactly("idle", "running");
    }

    /** Creates sessions until told to stop; emits the ids of those that the service has said to have created. */
    private static List<String> write(String workspace, AtomicBoolean stop) {
        List<String> acknowledged = new ArrayList<>();
        while (!stop.get()) {
            Instant start = Instant.now();
            Api.Reply reply = user.post(
                    "/workspaces/" + workspace + "/agent-sessions", "{\"agent_type\":\"builder\",\"model\":\"m\"}");
            if (reply.status() == 201) {
                acknowledged.add(reply.json().at("/session/id").asText());
            } else {
                assertUnavailable(reply);
                assertThat(Duration.between(start, Instant.now())).isLessThan(AT_ONCE);
            }
        }
        return acknowledged;
    }

    private static List<String> idsInDatabase(String workspace) {
        return Postgres.query(
                        service.databaseUrl(),
                        "select id::text from agent_sessions where workspace_id = '" + workspace + "'")
                .stream()
                .map(row -> row.get("id").toString())
                .collect(Collectors.toList());
    }

    @Test
    void frozenAndThawed() throws Exception {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();

        signal("STOP");
        try {
            assertEverythingIsUnavailable(workspace, session);
            // more than the pool has connections: nobody waits for those who wait
            try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                List<Future<Api.Reply>> replies = IntStream.range(0, 60)
                        .mapToObj(_ -> threads.submit(() -> user.get("/workspaces")))
                        .toList();
                assertThat(replies).allSatisfy(reply -> assertUnavailable(reply.get()));
            }
        } finally {
            signal("CONT");
        }

        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> service.statusOf("/q/health/ready") == 200
                        && user.get("/workspaces").status() == 200);
        user.patch("/workspaces/" + workspace, "{\"name\":\"Thawed\"}").expect(200);
    }

    @Test
    void nobodyIsSilentWhileThereIsNobodyToHear() throws Exception {
        Map<String, String> settings = Map.of(
                "sessions.stale-threshold", "6S",
                "sessions.heartbeat-interval", "1S",
                "sessions.sweep-interval", "1S");
        try (Service hearing = Service.start(Postgres.newDatabase(postgres), settings)) {
            Api host = user.at(hearing);
            String session =
                    host.newExternalSession(host.newWorkspace()).get("id").asText();
            host.command(session, "start", "{}").expect(200);
            // the fleet has heard for longer than it takes to be silent: only the outage can be to blame
            Postgres.neverAway(hearing.databaseUrl());

            signal("STOP");
            try {
                TimeUnit.SECONDS.sleep(8);
            } finally {
                signal("CONT");
            }
            hearing.awaitReady();
            // some turns of the sweep
            TimeUnit.SECONDS.sleep(2);

            assertThat(host.command(session, "heartbeat", "{\"epoch\":1}")
                            .expect(200)
                            .get("lease_extended")
                            .asBoolean())
                    .isTrue();
            // and who is silent when it could be heard ends
            Awaitility.await()
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> host.session(session).get("status").asText().equals("error"));
        }
    }

    @Test
    void startedBeforeTheDatabaseIsThere() throws Exception {
        String database = Postgres.newDatabase(postgres);
        postgres.crash();
        try (Service early = Service.launch(database, Map.of())) {
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> early.statusOf("/q/health/live") == 200);
            Api caller = user.at(early);
            assertThat(early.statusOf("/q/health/ready")).isEqualTo(503);
            assertThat(early.statusOf("/q/health/started")).isEqualTo(503);
            assertUnavailable(caller.get("/workspaces"));
            assertComesAgain(caller.get("/workspaces/" + UUID.randomUUID() + "/events"));

            postgres.restart();

            early.awaitReady();
            assertThat(early.statusOf("/q/health/started")).isEqualTo(200);
            assertThat(caller.session(caller.newSession(caller.newWorkspace())
                                    .get("id")
                                    .asText())
                            .get("status")
                            .asText())
                    .isEqualTo("idle");
        } finally {
            service.awaitReady();
        }
    }

    @Test
    void unavailableUntilTheSchemaIsThere() {
        String database = Postgres.newDatabase(postgres);
        // somebody else's table is in the way of the migrations
        Postgres.execute(database, "create table workspaces (id int)");
        try (Service waiting = Service.launch(database, Map.of())) {
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> waiting.log().contains("schema is not up to date"));
            assertThat(waiting.statusOf("/q/health/live")).isEqualTo(200);
            assertThat(waiting.statusOf("/q/health/ready")).isEqualTo(503);
            assertUnavailable(user.at(waiting).get("/workspaces"));

            Postgres.execute(database, "drop table workspaces");

            waiting.awaitReady();
            user.at(waiting).newWorkspace();
        }
    }
}
