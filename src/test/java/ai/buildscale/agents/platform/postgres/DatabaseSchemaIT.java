package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Everything lies in one schema, the one that the URL or Postgres itself names: statements look where migrations put. */
@Tag("jvm")
class DatabaseSchemaIT {
    private static final Duration START = Duration.ofSeconds(60);

    /** What is behind the URL, and what is told to Postgres. */
    private static final Map<String, String> WAYS = Map.of(
            "?search_path=app", "",
            "?currentSchema=app,public", "",
            "?schema=app", "",
            "?options=-c%20search_path%3Dapp%20--work_mem%3D8MB&application_name=mine", "",
            "?sslmode=prefer", "alter role postgres in database {database} set search_path = app",
            "?sslmode=disable&connect_timeout=10", "alter database {database} set search_path = app");

    private static final Map<String, Service> SERVICES = new LinkedHashMap<>();

    /** All at once: it is the starts that take time. */
    @BeforeAll
    static void start() {
        WAYS.forEach((parameters, told) -> {
            String database = Postgres.newDatabase();
            Postgres.execute(database, "create schema app");
            if (!told.isEmpty()) {
                Postgres.execute(database, told.replace("{database}", name(database)));
            }
            SERVICES.put(parameters, Service.launch(database + parameters, Map.of()));
        });
    }

    @AfterAll
    static void stop() {
        SERVICES.values().forEach(Service::close);
    }

    private static String name(String database) {
        return database.substring(database.lastIndexOf('/') + 1);
    }

    static Stream<String> ways() {
        return WAYS.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("ways")
    void everyTableIsInTheSchema(String parameters) {
        Service service = SERVICES.get(parameters);
        service.awaitReady();
        Api user = Api.user(service);

        user.newSession(user.newWorkspace());

        String database = service.databaseUrl().replace(parameters, "");
        assertThat(tables(database, "public")).isEmpty();
        assertThat(tables(database, "app"))
                .contains("workspaces", "flyway_schema_history")
                .hasSizeGreaterThan(10);
    }

    private static List<String> tables(String database, String schema) {
        return Postgres.query(database, "select tablename from pg_tables where schemaname = '" + schema + "'").stream()
                .map(row -> row.get("tablename").toString())
                .toList();
    }

    /** It says so as soon as it can be asked, which may be a moment after the log. */
    private static void awaitNotReady(Service service) {
        await().atMost(START).until(() -> service.statusOf("/q/health/ready") == 503);
    }

    @Test
    void aSchemaThatIsNotThereIsNamedAndWaitedFor() {
        String database = Postgres.newDatabase();
        try (Service service = Service.launch(database + "?search_path=missing", Map.of())) {
            await().atMost(START).until(() -> service.log().contains("no schema of the search path: missing"));
            awaitNotReady(service);

            Postgres.execute(database, "create schema missing");

            service.awaitReady();
            Api.user(service).newWorkspace();
            assertThat(tables(database, "missing")).contains("workspaces");
        }
    }

    @Test
    void aParameterThatNobodyKnowsIsRefusedByItsName() {
        try (Service service = Service.launch(Postgres.newDatabase() + "?searchpath=app", Map.of())) {
            await().atMost(START).until(() -> !service.isAlive());

            assertThat(service.log()).contains("DATABASE_URL has the parameter searchpath, which is refused");
        }
    }

    @Test
    void aSettingThatPostgresDoesNotKnowIsNamed() {
        String database = Postgres.newDatabase();
        try (Service service = Service.launch(database + "?options=-c%20no_such_thing%3D1", Map.of())) {
            await().atMost(START).until(() -> service.log().contains("no_such_thing"));

            awaitNotReady(service);
            Api.user(service).get("/workspaces").expectProblem(503, "UNAVAILABLE");
        }
    }
}
