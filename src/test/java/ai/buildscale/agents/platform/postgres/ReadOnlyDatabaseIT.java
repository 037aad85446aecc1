package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Connections that were opened while the database took no writes are not kept when it does. */
@Tag("jvm")
class ReadOnlyDatabaseIT {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final int CROWD = 32;

    private static void readOnly(String database, boolean on) {
        String name = database.substring(database.lastIndexOf('/') + 1);
        Postgres.execute(
                database.replace("/" + name, "/postgres"),
                "alter database " + name + (on ? " set default_transaction_read_only = on" : " reset all"));
    }

    private static void endAllConnections(String database) {
        Postgres.query(
                database,
                "select pg_terminate_backend(pid) from pg_stat_activity"
                        + " where datname = current_database() and pid <> pg_backend_pid()");
    }

    private static List<Integer> writes(Api user) {
        return AtOnce.run(
                CROWD, _ -> user.post("/workspaces", "{\"name\":\"A\"}").status());
    }

    @Test
    void readinessAndRequestsAreOfOneMind() {
        String database = Postgres.newDatabase();
        try (Service service = Service.start(database, Map.of())) {
            Api user = Api.user(service);
            String workspace = user.newWorkspace();

            readOnly(database, true);
            endAllConnections(database);
            await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 503);
            await().atMost(SOON).until(() -> writes(user).stream().allMatch(status -> status == 503));
            assertThat(service.statusOf("/q/health/ready")).isEqualTo(503);
            await().atMost(SOON)
                    .until(() -> user.get("/workspaces/" + workspace).status() == 200);
            assertThat(service.statusOf("/q/health/live")).isEqualTo(200);

            readOnly(database, false);
            await().atMost(SOON).until(() -> writes(user).stream().allMatch(status -> status == 201));
            await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 200);
            assertThat(writes(user)).containsOnly(201);
            await().atMost(SOON).until(() -> holdsItsLock(database));
        }
    }

    /** Though it is not asked for anything meanwhile. */
    @Test
    void readinessComesBackByItself() {
        String database = Postgres.newDatabase();
        try (Service service = Service.start(database, Map.of())) {
            readOnly(database, true);
            endAllConnections(database);
            await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 503);

            readOnly(database, false);

            await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 200);
            assertThat(writes(Api.user(service))).containsOnly(201);
        }
    }

    private static boolean holdsItsLock(String database) {
        return !Postgres.query(
                        database,
                        "select from pg_locks join pg_stat_activity using (pid)"
                                + " where locktype = 'advisory' and datname = current_database()")
                .isEmpty();
    }

    @Test
    void theSchemaComesWhenItCan() {
        String database = Postgres.newDatabase();
        readOnly(database, true);
        try (Service service = Service.launch(database, Map.of())) {
            await().atMost(Duration.ofSeconds(60)).until(() -> service.log().contains("the schema is not up to date"));
            assertThat(service.statusOf("/q/health/ready")).isEqualTo(503);

            readOnly(database, false);

            await().atMost(SOON).until(() -> service.statusOf("/q/health/ready") == 200);
            Api.user(service).newWorkspace();
        }
    }
}
