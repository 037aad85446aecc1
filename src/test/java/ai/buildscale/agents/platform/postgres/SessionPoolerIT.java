package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A pooler in session mode stands between: no startup message has what it does not know, and all settings hold. */
@Tag("jvm")
class SessionPoolerIT {
    private static Pooler pooler;
    private static Service service;
    private static String database;

    @BeforeAll
    static void start() throws IOException {
        int postgres = Postgres.shared().port();
        pooler = Pooler.of(postgres);
        database = Postgres.newDatabase();
        Postgres.execute(database, "create schema app");
        String url = database.replace(":" + postgres + "/", ":" + pooler.port() + "/");
        service = Service.start(url + "?sslmode=prefer&search_path=app", Map.of("database.timeout", "1S"));
    }

    @AfterAll
    static void stop() {
        service.close();
        pooler.close();
    }

    @Test
    void itRefusesNothing() {
        Api user = Api.user(service);
        String session = user.newSession(user.newWorkspace()).get("id").asText();
        user.command(session, "pause", "{}").expect(200);

        assertThat(pooler.refused()).isEmpty();
        assertThat(Postgres.query(database, "select from pg_tables where schemaname = 'app'"))
                .hasSizeGreaterThan(10);
    }

    @Test
    void postgresGivesUpStatementsByItself() throws SQLException {
        Api user = Api.user(service);
        long before = Postgres.logged("canceling statement due to statement timeout");
        try (Connection busy = Postgres.connect(database)) {
            busy.setAutoCommit(false);
            try (var lock = busy.prepareStatement("lock table app.workspaces in exclusive mode")) {
                lock.execute();
            }
            user.post("/workspaces", "{\"name\":\"A\"}").expectProblem(503, "UNAVAILABLE");
            await().until(() -> Postgres.logged("canceling statement due to statement timeout") > before);
        }
        user.newWorkspace();
    }
}
