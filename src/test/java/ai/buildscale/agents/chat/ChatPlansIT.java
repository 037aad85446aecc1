package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.golden.Golden;
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
                new Judged("get", Golden.statement("chat-sql-get"), 2),
                // as Hibernate writes what ChatRepository and MessageRepository ask for
                new Judged("list", """
                        select * from chats c where c.workspace_id = $1 and c.last_message_id < $2
                        order by c.last_message_id desc fetch first $3 rows only""", 3),
                new Judged("history", """
                        select * from messages m where m.chat_id = $1 and m.position < $2
                        order by m.position desc fetch first $3 rows only""", 3),
                new Judged("memory", Golden.statement("turn-sql-memory"), 3),
                new Judged("post", Golden.statement("inbox-sql-post"), 9),
                new Judged("task", Golden.statement("inbox-sql-task"), 10),
                new Judged("stop", Golden.statement("inbox-sql-stop"), 5),
                new Judged("answer", Golden.statement("inbox-sql-answer"), 8),
                new Judged("question", Golden.statement("chat-sql-question"), 2),
                new Judged("change", Golden.statement("chat-sql-change"), 9),
                new Judged("attention", Golden.statement("chat-sql-attention"), 2),
                new Judged("close what was left", Golden.statement("turn-close-sql-close-left"), 1),
                new Judged("drop what was left", Golden.statement("turn-close-sql-drop-left"), 1),
                new Judged("begin", Golden.statement("turn-sql-begin"), 2),
                new Judged("take up lost", Golden.statement("turn-sql-take-up-lost"), 2),
                new Judged("take up paused", Golden.statement("turn-sql-take-up-paused"), 2),
                new Judged("waiting", Golden.statement("turn-sql-waiting"), 1),
                new Judged("orphaned", Golden.statement("turn-sql-orphaned"), 1),
                new Judged("gone", Golden.statement("turn-sql-gone"), 2),
                new Judged("begin elsewhere", Golden.statement("host-claim-sql-begin"), 4),
                new Judged("take up elsewhere", Golden.statement("host-claim-sql-take-up"), 5),
                new Judged("give again", Golden.statement("host-claim-sql-give-again"), 4),
                new Judged("let go", Golden.statement("host-sql-let-go"), 1),
                new Judged("forget", Golden.statement("host-sql-forget"), 1),
                new Judged("unread", Golden.statement("host-claim-sql-unread"), 3),
                new Judged("left", Golden.statement("host-claim-sql-left"), 1),
                new Judged("seize", Golden.statement("host-claim-sql-seize"), 2),
                new Judged("what was accepted", Golden.statement("host-sql-accepted"), 2),
                new Judged("open", Golden.statement("turn-sql-open"), 2),
                new Judged("chunks", Golden.statement("turn-sql-chunks"), 2),
                new Judged("step", Golden.statement("turn-sql-step"), 2),
                new Judged("close", Golden.statement("turn-close-sql-close"), 2),
                new Judged("show", Golden.statement("turn-sql-show"), 6),
                new Judged("turn of a host", Golden.statement("host-sql-turn"), 3),
                new Judged("any foreign", Golden.statement("host-sql-any-foreign"), 2),
                new Judged("beat of a host", Golden.statement("host-sql-beat"), 5));
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
