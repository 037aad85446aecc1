package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Postgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Collections;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the statements on chats cost where there are many: none reads a whole table. */
@Tag("jvm")
class ChatPlansIT {
    private static Connection connection;

    @BeforeAll
    static void start() throws SQLException {
        String database = Postgres.newMigratedDatabase();
        Postgres.execute(database, """
                insert into workspaces (id, name, created_by, max_live_sessions)
                select next_id(), 'w', gen_random_uuid(), 1000 from generate_series(1, 100)""");
        Postgres.execute(database, """
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode, hosting,
                    server_id, turn_id)
                select next_id(), w.id, next_id(), w.created_by, 'assistant', 'idle', 'm', 'chat', 'server',
                       gen_random_uuid(), gen_random_uuid()
                from workspaces w, generate_series(1, 200)""");
        Postgres.execute(database, """
                insert into chats (id, workspace_id, user_id, agent_type, model, mode, hosting, on_busy, last_message_id)
                select chat_id, workspace_id, user_id, 'assistant', 'm', 'chat', 'server', 'enqueue', chat_id
                from agent_sessions""");
        Postgres.execute(database, """
                insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch, ended_at)
                select turn_id, id, chat_id, workspace_id, next_id(), 'done', 1, now() from agent_sessions""");
        Postgres.execute(database, """
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, state, position)
                select next_id(), workspace_id, chat_id, id, turn_id, 'user', 'x', 'taken', n
                from agent_sessions, generate_series(1, 5) n""");
        Postgres.execute(database, "analyze");
        connection = Postgres.connect(database);
    }

    @AfterAll
    static void stop() throws SQLException {
        connection.close();
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
                new Judged("get", ChatSql.GET, 2),
                new Judged("list", ChatSql.LIST, 3),
                new Judged("history", ChatSql.HISTORY, 3),
                new Judged("memory", ChatSql.MEMORY, 3),
                new Judged("post", ChatSql.POST, 9),
                new Judged("task", ChatSql.TASK, 10),
                new Judged("stop", ChatSql.STOP, 5),
                new Judged("answer", ChatSql.ANSWER, 8),
                new Judged("question", ChatSql.QUESTION, 2),
                new Judged("change", ChatSql.CHANGE, 9),
                new Judged("attention", ChatSql.ATTENTION, 2),
                new Judged("close what was left", ChatSql.CLOSE_LEFT, 1),
                new Judged("drop what was left", ChatSql.DROP_LEFT, 1),
                new Judged("begin", TurnSql.BEGIN, 2),
                new Judged("take up lost", TurnSql.TAKE_UP_LOST, 2),
                new Judged("take up paused", TurnSql.TAKE_UP_PAUSED, 2),
                new Judged("waiting", TurnSql.WAITING, 1),
                new Judged("strays", TurnSql.STRAYS, 1),
                new Judged("gone", TurnSql.GONE, 2),
                new Judged("begin elsewhere", TurnSql.BEGIN_ELSEWHERE, 4),
                new Judged("take up elsewhere", TurnSql.TAKE_UP_ELSEWHERE, 5),
                new Judged("give again", TurnSql.GIVE_AGAIN, 4),
                new Judged("let go", HostSql.LET_GO, 1),
                new Judged("forget", HostSql.FORGET, 1),
                new Judged("unread", HostSql.UNREAD, 3),
                new Judged("left", HostSql.LEFT, 1),
                new Judged("seize", HostSql.SEIZE, 2),
                new Judged("what was accepted", HostSql.ACCEPTED, 2),
                new Judged("open", TurnSql.OPEN, 2),
                new Judged("chunks", TurnSql.CHUNKS, 2),
                new Judged("step", TurnSql.STEP, 2),
                new Judged("close", TurnSql.CLOSE, 2),
                new Judged("show", TurnSql.SHOW, 6),
                new Judged("turn of a host", HostSql.TURN, 3),
                new Judged("any foreign", HostSql.ANY_FOREIGN, 2),
                new Judged("beat of a host", HostSql.BEAT, 5));
    }

    @ParameterizedTest
    @MethodSource("statements")
    void readsNoWholeTable(Judged judged) throws SQLException {
        String nulls = String.join(", ", Collections.nCopies(judged.parameters(), "null"));
        StringBuilder plan = new StringBuilder();
        try (Statement statement = connection.createStatement()) {
            statement.execute("set plan_cache_mode = force_generic_plan");
            statement.execute("prepare judged as " + judged.sql());
            try (ResultSet lines = statement.executeQuery("explain (costs off) execute judged(" + nulls + ")")) {
                while (lines.next()) {
                    plan.append(lines.getString(1)).append('\n');
                }
            } finally {
                statement.execute("deallocate judged");
            }
        }
        assertThat(plan.toString())
                .doesNotContain(
                        "Seq Scan on agent_sessions",
                        "Seq Scan on messages",
                        "Seq Scan on turns",
                        "Seq Scan on chats",
                        "Seq Scan on events");
    }
}
