package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.dev.EmbeddedPostgres;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.nio.file.Files;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The primary goes, a standby is there for a while, and becomes the primary: the service follows, without a restart. */
@Tag("jvm")
class FailoverIT {
    private static final Duration SOON = Duration.ofSeconds(15);
    private static final int CROWD = 32;

    private static EmbeddedPostgres postgres;
    private static Service service;
    private static Api user;

    @BeforeAll
    static void start() {
        postgres = Postgres.newServer("it-postgres-failover", "fsync=off");
        service = Service.start(Postgres.newDatabase(postgres), Map.of());
        user = Api.user(service);
    }

    @AfterAll
    static void stop() {
        service.close();
        postgres.close();
    }

    @BeforeEach
    void isWell() {
        service.awaitReady();
        assertThat(writes()).containsOnly(201);
    }

    private static List<Integer> writes() {
        return AtOnce.run(
                CROWD, _ -> user.post("/workspaces", "{\"name\":\"A\"}").status());
    }

    private static void assertReadsOnly(String workspace) {
        await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 503);
        await().atMost(SOON).until(() -> writes().stream().allMatch(status -> status == 503));
        await().atMost(SOON).until(() -> user.get("/workspaces/" + workspace).status() == 200);
        assertThat(service.statusOf("/q/health/ready")).isEqualTo(503);
    }

    private static void assertWritesAgain() {
        await().atMost(SOON).until(() -> writes().stream().allMatch(status -> status == 201));
        await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 200);
        assertThat(writes()).containsOnly(201);
    }

    @Test
    void aStandbyIsThereAndIsPromoted() throws Exception {
        String workspace = user.newWorkspace();
        postgres.crash();
        Files.createFile(postgres.home().resolve("data/standby.signal"));
        postgres.restart();
        assertReadsOnly(workspace);

        Postgres.query(postgres.url("postgres"), "select pg_promote()");

        assertWritesAgain();
    }

    @Test
    void aPrimaryTurnsReadOnlyUnderOpenConnections() {
        String workspace = user.newWorkspace();
        String url = postgres.url("postgres");
        Postgres.execute(url, "alter system set default_transaction_read_only = on");
        Postgres.query(url, "select pg_reload_conf()");
        assertReadsOnly(workspace);

        Postgres.execute(url, "alter system reset default_transaction_read_only");
        Postgres.query(url, "select pg_reload_conf()");

        assertWritesAgain();
    }

    @Test
    void aConnectionEndsInTheMiddleOfATransaction() throws Exception {
        String url = service.databaseUrl();
        try (Connection busy = Postgres.connect(url)) {
            busy.setAutoCommit(false);
            try (var lock = busy.prepareStatement("lock table workspaces in exclusive mode")) {
                lock.execute();
            }
            CompletableFuture<Integer> waiting = CompletableFuture.supplyAsync(
                    () -> user.post("/workspaces", "{\"name\":\"A\"}", "Idempotency-Key", "middle")
                            .status());
            await().atMost(SOON)
                    .until(() -> !Postgres.query(
                                    url,
                                    "select pg_terminate_backend(pid) from pg_stat_activity"
                                            + " where datname = current_database() and wait_event_type = 'Lock'")
                            .isEmpty());

            assertThat(waiting.get()).isEqualTo(503);
            busy.rollback();
        }

        assertThat(user.post("/workspaces", "{\"name\":\"A\"}", "Idempotency-Key", "middle")
                        .status())
                .isEqualTo(201);
        assertThat(writes()).containsOnly(201);
    }
}
