package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The schema: how it comes about, and what the measurements ask of it. */
@Tag("jvm")
class MigrationIT {
    private static String database;
    private static Service one;
    private static Service two;

    /** Both at once, on an empty database. */
    @BeforeAll
    static void start() {
        database = Postgres.newDatabase();
        assertThat(values("select count(*) from pg_class where relnamespace = 'public'::regnamespace"))
                .containsExactly(0L);
        one = Service.launch(database, Map.of());
        two = Service.launch(database, Map.of());
        one.awaitReady();
        two.awaitReady();
    }

    @AfterAll
    static void stop() {
        one.close();
        two.close();
    }

    private static List<Object> values(String sql) {
        return Postgres.query(database, sql).stream()
                .map(row -> row.values().iterator().next())
                .toList();
    }

    private static List<Object> versions() {
        return values("select version from flyway_schema_history where success order by installed_rank");
    }

    @Test
    void twoServersMigrateAnEmptyDatabaseOnce() {
        assertThat(versions()).startsWith("1").doesNotHaveDuplicates();
        assertThat(values("select count(*) from servers where left_at is null").getFirst())
                .isEqualTo(2L);
        Api owner = Api.user(one);
        String id = owner.newSession(owner.newWorkspace()).get("id").asText();
        assertThat(owner.at(two).session(id).get("status").asText()).isEqualTo("idle");
    }

    @Test
    void anotherServerStartsOnWhatIsThereAndJoinsWhenItCan() throws SQLException {
        Api owner = Api.user(one);
        String id = owner.newSession(owner.newWorkspace()).get("id").asText();
        List<Object> versions = versions();

        try (Connection busy = Postgres.connect(database);
                Service three = startedWhileReadOnly(busy, "servers")) {
            assertThat(owner.at(three).session(id).get("status").asText()).isEqualTo("idle");
            assertThat(versions()).isEqualTo(versions);

            await().atMost(Duration.ofSeconds(30)).until(() -> three.log().contains("cannot renew its lease"));
            busy.rollback();

            await().atMost(Duration.ofSeconds(30))
                    .until(() -> values("select count(*) from servers where left_at is null")
                            .equals(List.of(3L)));
        }
        assertThat(values("select count(*) from servers where left_at is not null"))
                .as("it has said goodbye")
                .containsExactly(1L);
    }

    private static Service startedWhileReadOnly(Connection connection, String table) throws SQLException {
        connection.setAutoCommit(false);
        try (var lock = connection.prepareStatement("lock table " + table + " in exclusive mode")) {
            lock.execute();
        }
        return Service.start(database, Map.of());
    }

    @ParameterizedTest
    @ValueSource(strings = {"status", "beat_at", "renewed_at", "updated_at", "last_progress_at", "last_position"})
    void noIndexNamesWhatChangesOften(String column) {
        assertThat(values("select indexdef from pg_indexes where schemaname = 'public'"))
                .hasSizeGreaterThan(10)
                .noneMatch(index -> index.toString().matches(".*\\b" + column + "\\b.*"));
        assertThat(values("select table_name from information_schema.columns where table_schema = 'public'"
                        + " and column_name = '" + column + "'"))
                .as("the column is still called that")
                .isNotEmpty();
    }

    @Test
    void transitionsAndBeatsAreHotUpdates() {
        Api owner = Api.user(one);
        String workspace = owner.newWorkspace();
        List<String> ids = Stream.generate(() -> owner.newExternalSession(workspace))
                .limit(30)
                .map(session -> session.get("id").asText())
                .toList();
        Map<String, long[]> before = updates();

        for (String id : ids) {
            for (String command : List.of("start", "pause", "resume", "yield")) {
                owner.command(id, command, "{}").expect(200);
            }
            owner.patch("/agent-sessions/" + id, "{\"current_task\":\"t\",\"labels\":{\"a\":\"b\"}}")
                    .expect(200);
            owner.command(id, "heartbeat", "{\"epoch\":1}").expect(200);
        }

        // Postgres tells its statistics with a delay
        await().atMost(Duration.ofSeconds(30))
                .until(() -> grown(before, "agent_sessions")[0] >= 150 && grown(before, "session_heartbeats")[0] >= 30);
        for (String table : List.of("agent_sessions", "session_heartbeats")) {
            long[] grown = grown(before, table);
            assertThat(grown[1]).as(table + ": hot of " + grown[0]).isGreaterThan(grown[0] * 9 / 10);
        }
    }

    private static long[] grown(Map<String, long[]> before, String table) {
        long[] now = updates().get(table);
        return new long[] {now[0] - before.get(table)[0], now[1] - before.get(table)[1]};
    }

    /** Updates of each table, and how many of them were hot. */
    private static Map<String, long[]> updates() {
        return Postgres.query(database, "select relname, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables").stream()
                .collect(Collectors.toMap(row -> (String) row.get("relname"), row ->
                        new long[] {(Long) row.get("n_tup_upd"), (Long) row.get("n_tup_hot_upd")}));
    }
}
