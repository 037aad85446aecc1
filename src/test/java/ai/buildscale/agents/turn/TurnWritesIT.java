package ai.buildscale.agents.turn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.golden.Golden;
import ai.buildscale.agents.testing.Postgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What an owner writes twice, since the first answer was lost, is there once; and what the sweep finds. */
@Tag("jvm")
class TurnWritesIT {
    private static final String SERVER = "00000000-0000-7000-8000-000000000001";
    private static final String SESSION = "00000000-0000-7000-8000-000000000002";
    private static final String CHAT = "00000000-0000-7000-8000-000000000003";
    private static final String TURN = "00000000-0000-7000-8000-000000000004";

    private Connection connection;

    @BeforeEach
    void aRunningTurn() throws SQLException {
        connection = Postgres.connect(Postgres.newMigratedDatabase());
        rows("insert into workspaces (id, name, created_by, max_live_sessions) values ('%s', 'w', '%s', 9) returning id"
                .formatted(SERVER, SERVER));
        rows(
                "insert into workspace_usage (workspace_id, live_sessions) values ('%s', 1) on conflict do nothing returning 1"
                        .formatted(SERVER));
        rows("""
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode, hosting,
                    server_id, turn_id)
                values ('%s', '%s', '%s', '%s', 'assistant', 'running', 'm', 'chat', 'server', '%s', '%s') returning id""".formatted(SESSION, SERVER, CHAT, SERVER, SERVER, TURN));
        rows("""
                insert into chats (id, workspace_id, user_id, agent_type, model, mode, hosting, on_busy, last_message_id)
                values ('%s', '%s', '%s', 'assistant', 'm', 'chat', 'server', 'enqueue', '%s') returning id""".formatted(CHAT, SERVER, SERVER, CHAT));
        rows("""
                insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch)
                values ('%s', '%s', '%s', '%s', next_id(), 'running', 1) returning id""".formatted(TURN, SESSION, CHAT, SERVER));
    }

    @AfterEach
    void close() throws SQLException {
        connection.close();
    }

    /** Its answer was lost, and the host was given the turn again before that was noticed. */
    @Test
    void onlyTheTurnThatWasNotReadIsTakenBack() throws SQLException {
        rows("insert into agent_hosts (id, user_id, name, capacity) values ('%s', '%s', 'h', 1) returning id"
                .formatted(SERVER, SERVER));
        rows(
                "update turns set host_id = '%s', claimed_at = now(), epoch = 3, lease_until = now() + interval '1 minute' returning id"
                        .formatted(SERVER));
        String unread = Golden.statement("host-claim-sql-unread") + " returning t.id";

        assertThat(execute(unread, SERVER, "{" + TURN + "}", "{2}")).isEmpty();
        assertThat(execute(unread, SERVER, "{" + TURN + "}", "{3}")).containsExactly(TURN);
    }

    /** The first column of what it returns. */
    private List<String> rows(String sql) {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> all = new ArrayList<>();
            while (rows.next()) {
                all.add(rows.getString(1));
            }
            return all;
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }

    private List<String> execute(String sql, String... arguments) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("prepare it as " + sql);
        }
        try {
            return rows("execute it("
                    + Stream.of(arguments).map(one -> "'" + one + "'").collect(Collectors.joining(", ")) + ")");
        } finally {
            try (Statement statement = connection.createStatement()) {
                statement.execute("deallocate it");
            }
        }
    }

    private List<String> step(int seq, String text) throws SQLException {
        return execute(TurnSql.STEP, SERVER, """
                [{"turn_id":"%s","session_id":"%s","epoch":1,"seq":%d,"kind":"thought","content":"%s","data":{},
                  "event":{},"said":""}]""".formatted(TURN, SESSION, seq, text));
    }

    private List<String> events() {
        return rows("select type from events order by position");
    }

    @Test
    void aStepIsWrittenOnce() throws SQLException {
        assertThat(step(1, "one")).containsExactly(SESSION);
        assertThat(step(1, "one")).containsExactly(SESSION);
        assertThat(step(2, "two")).containsExactly(SESSION);
        assertThat(step(2, "two")).containsExactly(SESSION);

        assertThat(rows("select content from messages order by position")).containsExactly("one", "two");
        assertThat(events()).containsExactly("thought", "thought");
    }

    @ParameterizedTest
    @CsvSource({
        "waiting, waiting, question_pending",
        "spent, paused, agent_status stopped",
        "parked, parked, ''",
        "returned, paused, agent_status",
        "paused, parked, stopped",
        "done, done, agent_status done",
        "failed, failed, agent_status error"
    })
    void aTurnIsClosedOnce(String ending, String state, String told) throws SQLException {
        String closing = """
                [{"turn_id":"%s","session_id":"%s","epoch":1,"ending":"%s","said":"a","reason":null,"message":"b",
                  "question_id":%s,"schema":null,"input_tokens":1,"output_tokens":2,"worked_ms":3}]""".formatted(TURN, SESSION, ending, ending.equals("waiting") ? "\"" + SERVER + "\"" : "null");
        List<String> first = execute(TurnCloseSql.CLOSE, SERVER, closing);
        List<String> written = events();
        assertThat(first).containsExactly(SESSION);

        List<String> second = execute(TurnCloseSql.CLOSE, SERVER, closing);

        // one that is over is nobody's to close any more
        assertThat(second).isEqualTo(List.of("done", "failed").contains(ending) ? List.of() : first);
        assertThat(events()).isEqualTo(written).contains(told.isEmpty() ? new String[0] : told.split(" "));
        assertThat(rows("select state from turns")).containsExactly(state);
        assertThat(rows("select input_tokens from agent_sessions")).containsExactly("1");
    }

    private static String closing(String ending) {
        return """
                [{"turn_id":"%s","session_id":"%s","epoch":1,"ending":"%s","said":"a","reason":null,"message":"b",
                  "question_id":null,"schema":null,"input_tokens":1,"output_tokens":2,"worked_ms":3}]""".formatted(TURN, SESSION, ending);
    }

    @Test
    void whatWaitsBehindATurnThatFailsIsToldOfBeforeTheSessionsLastEvent() throws SQLException {
        wait("user", "new");
        wait("user", "waiting");
        rows("update agent_sessions set mail = 2 returning 1");

        execute(TurnCloseSql.CLOSE, SERVER, closing("failed"));

        assertThat(events()).containsExactly("error", "stopped", "stopped", "agent_status");
        assertThat(rows("select ends_session from events order by position desc limit 1"))
                .containsExactly("t");
        assertThat(rows("select data ->> 'message_id' from events where type = 'stopped' order by position"))
                .isEqualTo(rows("select id from messages where state = 'dropped' order by position"));
        assertThat(rows("select mail from agent_sessions")).containsExactly("0");
    }

    @Test
    void whatATurnHasUsedThatItsSessionTookAlongIsAddedOnce() throws SQLException {
        rows("update turns set state = 'stopped', ended_at = now(), owes_usage = true returning 1");
        rows("update agent_sessions set status = 'completed', ended_at = now(), turn_id = null returning 1");

        assertThat(execute(TurnCloseSql.CLOSE, SERVER, closing("done"))).containsExactly(SESSION);
        assertThat(execute(TurnCloseSql.CLOSE, SERVER, closing("done"))).isEmpty();

        assertThat(events()).isEmpty();
        assertThat(rows("select state || ' ' || input_tokens from turns")).containsExactly("stopped 1");
        assertThat(rows("select output_tokens from agent_sessions")).containsExactly("2");
        assertThat(rows("select turns || ' ' || worked_ms from workspace_spending"))
                .containsExactly("0 3");
    }

    @Test
    void aTurnGoesAlongWithItsSessionAndIsTakenUpOnce() throws SQLException {
        rows("update turns set server_id = '%s' returning 1".formatted(SERVER));
        assertThat(execute(TurnSql.TAKE_UP_LOST, SERVER, "2000")).isEmpty();

        rows("update agent_sessions set server_id = '%s', epoch = 2 returning 1".formatted(CHAT));

        assertThat(rows("select server_id from turns")).containsExactly(CHAT);
        assertThat(execute(TurnSql.TAKE_UP_LOST, SERVER, "2000")).isEmpty();
        assertThat(execute(TurnSql.TAKE_UP_LOST, CHAT, "2000")).containsExactly(TURN);
        assertThat(execute(TurnSql.TAKE_UP_LOST, CHAT, "2000")).isEmpty();
        assertThat(rows("select attempt || ' ' || epoch from turns")).containsExactly("2 2");
    }

    @Test
    void messagesOfASessionThatHasEndedAreDroppedAndTold() throws SQLException {
        wait("user", "new");
        wait("user", "waiting");
        rows("update agent_sessions set ended_at = now() - interval '1 minute', status = 'error', mail = 2"
                + " returning 1");

        assertThat(execute(TurnCloseSql.CLOSE_LEFT, "100")).containsExactly("1");
        assertThat(execute(TurnCloseSql.DROP_LEFT, "100")).containsExactly("2");

        assertThat(events()).containsExactly("stopped", "stopped", "stopped");
        assertThat(rows("select data ->> 'reason' from events")).containsOnly("ended");
        assertThat(rows("select data ->> 'message_id' from events where data ->> 'turn_id' is null"))
                .containsExactlyElementsOf(rows("select id from messages where state = 'dropped' order by position"));
        assertThat(rows("select last_position = (select max(position) from events) from agent_sessions"))
                .containsExactly("t");
        assertThat(execute(TurnCloseSql.DROP_LEFT, "100")).containsExactly("0");
    }

    @Test
    void anAnswerThatNobodyWaitsForAnyMoreIsNotMail() throws SQLException {
        wait("answer", "new");
        wait("user", "waiting");
        rows("update turns set state = 'stopped', ended_at = now() returning 1");
        rows("update agent_sessions set status = 'idle', turn_id = null, mail = 2 returning 1");

        assertThat(execute(TurnCloseSql.DROP_LEFT, "100")).containsExactly("1");

        assertThat(rows("select mail from agent_sessions")).containsExactly("1");
        assertThat(rows("select state from messages order by position")).containsExactly("dropped", "waiting");
        assertThat(events()).isEmpty();
    }

    private void wait(String kind, String state) {
        rows("""
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, state, position)
                select next_id(), '%s', '%s', '%s', case when '%s' = 'answer' then '%s'::uuid end, '%s', 'x', '%s',
                       (select count(*) from messages)
                returning id""".formatted(SERVER, CHAT, SESSION, kind, TURN, kind, state));
    }
}
