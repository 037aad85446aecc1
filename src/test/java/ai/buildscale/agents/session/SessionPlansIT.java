package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Postgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Collections;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * How Postgres carries out the statements on many sessions. Connections live long: after a few executions they use a
 * plan that knows no parameter, and that one must be good, too.
 */
@Tag("jvm")
class SessionPlansIT {
    private static final UUID WORKSPACE = UUID.randomUUID();
    /** As small beside the 30,000 as the real one is beside the million. */
    private static final int BATCH = 20;

    private static Connection connection;

    /** 30,000 sessions: live ones outside and on three servers, one of them lost, and ended ones. */
    @BeforeAll
    static void start() throws SQLException {
        String database = Postgres.newMigratedDatabase();
        Postgres.execute(database, """
                with w as (
                    insert into workspaces (id, name, created_by, max_live_sessions)
                    values (?, 'many', gen_random_uuid(), 100000) returning id),
                u as (insert into workspace_usage (workspace_id, live_sessions) select id, 20000 from w),
                v as (
                    insert into servers (id, hostname, version, renewed_at)
                    select gen_random_uuid(), 'h', '1', now() - i * interval '1 hour' from generate_series(0, 2) i
                    returning id),
                hosts as (select array_agg(id) as ids from v),
                s as (
                    insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                        hosting, server_id, ended_at)
                    select gen_random_uuid(), w.id, gen_random_uuid(), gen_random_uuid(), 'builder',
                           (array['running', 'idle', 'completed'])[1 + i % 3], 'm', 'build',
                           case when i % 2 = 0 then 'server' else 'external' end,
                           case when i % 2 = 0 then hosts.ids[1 + i / 2 % 3] end,
                           case when i % 3 = 2 then now() - i * interval '1 minute' end
                    from w, hosts, generate_series(1, 30000) i
                    returning id, hosting, server_id, ended_at),
                members as (
                    insert into workspace_members (workspace_id, user_id, role)
                    select w.id, gen_random_uuid(), 'member' from w, generate_series(1, 30000)),
                told as (
                    insert into session_commands (id, session_id, command, server_id, epoch, applied_at)
                    select gen_random_uuid(), s.id, 'pause', s.server_id, 1, now() from s where hosting = 'server')
                insert into session_heartbeats select id from s where hosting = 'external' and ended_at is null""", WORKSPACE);
        Postgres.execute(database, "analyze");
        connection = Postgres.connect(database);
    }

    @AfterAll
    static void stop() throws SQLException {
        connection.close();
    }

    private static String plan(String mode, String sql, String... arguments) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("set plan_cache_mode = " + mode);
            statement.execute("prepare judged as " + sql);
            String list = arguments.length == 0 ? "" : "(" + String.join(", ", arguments) + ")";
            try (ResultSet lines = statement.executeQuery("explain (costs off) execute judged" + list)) {
                StringBuilder plan = new StringBuilder();
                while (lines.next()) {
                    plan.append(lines.getString(1)).append('\n');
                }
                return plan.toString();
            } finally {
                statement.execute("deallocate judged");
            }
        }
    }

    /** The statement, and how many parameters it has. */
    record Judged(String name, String sql, int parameters) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Judged> statements() {
        return Stream.of(
                new Judged("get", SessionSql.GET, 2),
                new Judged("history", SessionSql.HISTORY, 4),
                new Judged("of a chat", SessionSql.OF_CHAT, 2),
                new Judged("command", CommandSql.GET, 3),
                new Judged("any foreign", SessionSql.ANY_FOREIGN, 2),
                new Judged("create", SessionSql.CREATE, 18),
                new Judged("go on", SessionCommandSql.GO_ON, 14),
                new Judged("rest", SessionCommandSql.REST, 14),
                new Judged("end", SessionCommandSql.END, 14),
                new Judged("change", SessionSql.CHANGE, 18),
                new Judged("beat", SessionSql.BEAT, 3),
                new Judged("sweep of the silent", SessionSweepSql.batched(SessionSweepSql.SWEEP_SILENT, BATCH), 2),
                new Judged("hand over", SessionSweepSql.batched(OwnershipSql.HAND_OVER, BATCH), 5),
                new Judged("hand over one", OwnershipSql.HAND_OVER_ONE, 7),
                new Judged("count of a server", OwnershipSql.COUNT, 1),
                new Judged("ask to migrate", CommandSql.ASK_TO_MIGRATE, 4),
                new Judged("deliver", CommandSql.DELIVER, 3),
                new Judged("apply", CommandSql.APPLY, 3),
                new Judged("reject", CommandSql.REJECT, 4),
                new Judged("fence", CommandSql.FENCE, 3),
                new Judged("late migrations", CommandSql.LATE_MIGRATIONS, 1),
                new Judged("sweep of pauses", SessionSweepSql.batched(SessionSweepSql.SWEEP_PAUSES, BATCH), 0),
                new Judged("sweep of the inactive", SessionSweepSql.batched(SessionSweepSql.SWEEP_INACTIVE, BATCH), 3),
                new Judged("sweep of the stalled", SessionSweepSql.batched(SessionSweepSql.SWEEP_STALLED, BATCH), 3),
                new Judged("removal", SessionSweepSql.batched(SessionSweepSql.REMOVE_ENDED, BATCH), 1));
    }

    @ParameterizedTest
    @MethodSource("statements")
    void readsNoWholeTable(Judged judged) throws SQLException {
        String[] nulls = Collections.nCopies(judged.parameters(), "null").toArray(String[]::new);

        String generic = plan("force_generic_plan", judged.sql(), nulls);

        assertThat(generic)
                .contains("agent_sessions")
                .doesNotContain(
                        "Seq Scan on agent_sessions", "Seq Scan on session_commands", "Seq Scan on workspace_members");
        if (!judged.name().equals("sweep of the silent")) {
            // that one reads all beats, by design: they are few bytes, and an index on their time would cost each beat
            assertThat(generic).doesNotContain("Seq Scan on session_heartbeats");
        }
    }

    @Test
    void aPageFollowsTheIndexAndSortsNothing() throws SQLException {
        for (boolean live : new boolean[] {true, false}) {
            String[] arguments = Stream.concat(
                            Stream.of("'" + WORKSPACE + "'"),
                            Stream.concat(Collections.nCopies(6, "null").stream(), Stream.of("50")))
                    .toArray(String[]::new);

            String plan = plan("auto", SessionSql.list(live), arguments);

            assertThat(plan.lines().map(String::strip).collect(Collectors.joining("\n")))
                    .contains("Index Scan Backward using agent_sessions_" + (live ? "live" : "all"))
                    .doesNotContain("Sort");
        }
    }
}
