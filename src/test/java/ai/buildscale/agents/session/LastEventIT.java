package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Statements;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever ends a session: what waits for it and its open turn are told of before its last event, by the same statement. */
@Tag("jvm")
class LastEventIT {
    private static final String ID = "00000000-0000-7000-8000-000000000001";

    private static String database;

    private Statements sql;

    @BeforeAll
    static void start() {
        database = Postgres.newMigratedDatabase();
        Postgres.neverAway(database);
    }

    @BeforeEach
    void begin() throws SQLException {
        sql = Statements.on(database);
        sql.rows("truncate workspaces, events, chunks cascade");
        sql.rows("insert into workspaces (id, name, created_by, max_live_sessions) values ('%s', 'w', '%s', 99)"
                .formatted(ID, ID));
        sql.rows("insert into workspace_usage (workspace_id, live_sessions) values ('%s', 9)".formatted(ID));
    }

    @AfterEach
    void end() throws SQLException {
        sql.close();
    }

    /** A chat's session with so many messages that wait, and a turn in this state (null: none). */
    private String session(String hosting, String status, String turn, int messages) {
        String session = UUID.randomUUID().toString();
        String chat = UUID.randomUUID().toString();
        sql.rows("""
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode, hosting,
                    server_id, mail, turn_id)
                values ('%s', '%s', '%s', '%s', 'assistant', '%s', 'm', 'chat', '%s', %s, %d, %s)""".formatted(
                        session,
                        ID,
                        chat,
                        ID,
                        status,
                        hosting,
                        hosting.equals("server") ? "'" + ID + "'" : "null",
                        messages,
                        turn == null ? "null" : "'" + session + "'"));
        sql.rows("""
                insert into chats (id, workspace_id, user_id, agent_type, model, mode, hosting, on_busy, last_message_id)
                values ('%s', '%s', '%s', 'assistant', 'm', 'chat', '%s', 'enqueue', '%s')""".formatted(chat, ID, ID, hosting, ID));
        if (turn != null) {
            sql.rows("""
                    insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch, said)
                    values ('%s', '%s', '%s', '%s', next_id(), '%s', 1, 'one ')""".formatted(session, session, chat, ID, turn));
        }
        wait(session, chat, messages);
        return session;
    }

    private void wait(String session, String chat, int messages) {
        sql.rows("""
                insert into messages (id, workspace_id, chat_id, session_id, kind, content, state, position)
                select next_id(), '%s', '%s', '%s', 'user', n::text, case n %% 2 when 0 then 'new' else 'waiting' end, n
                from generate_series(1, %d) n""".formatted(ID, chat, session, messages));
    }

    private String[] transition(String session, String to) {
        return new String[] {
            session, null, "{running,idle,paused}", to, "why", null, null, null, null, null, null, null, ID, null
        };
    }

    private List<String> told(String session) {
        return sql.rows("""
                select coalesce(data ->> 'status', data ->> 'reason', type) || case when ends_session then '.' else '' end
                from events where session_id = '%s' order by position""".formatted(session));
    }

    /** The messages that are told of as dropped, in the order in which they are. */
    private void assertTold(String session, int messages) {
        assertThat(sql.rows("""
                select m.content from events e
                join messages m on m.id::text = e.data ->> 'message_id'
                where e.session_id = '%s' and e.data ->> 'reason' = 'ended' and m.state = 'dropped'
                order by e.position""".formatted(session)))
                .isEqualTo(IntStream.rangeClosed(1, messages)
                        .mapToObj(Integer::toString)
                        .toList());
        assertThat(sql.rows("""
                select s.mail || ' ' || (s.turn_id is null) || ' ' || (s.last_position >= max(e.position)) from agent_sessions s
                join events e on e.session_id = s.id
                where s.id = '%s' group by s.id""".formatted(session))).containsExactly("0 true true");
    }

    @ParameterizedTest
    @CsvSource({
        "external, running, completed, completed.",
        "external, running, error, error.",
        "external, running, cancelled, cancelled.",
        "external, paused, cancelled, cancelled.",
        "server, running, completed, completed.",
        "server, running, error, error.",
    })
    void whatWaitsIsToldOfFirst(String hosting, String status, String to, String last) {
        String session = session(hosting, "running", status, 2);
        if (status.equals("paused")) {
            sql.rows("update agent_sessions set status = 'idle'");
        }

        sql.execute(SessionCommandSql.END, transition(session, to));

        String why = to.equals("error") ? "failed" : to;
        assertThat(told(session)).containsExactly(why, "ended", "ended", last);
        assertTold(session, 2);
        assertThat(sql.rows("select kind || ' ' || content || ' ' || (data ->> 'reason') from messages where kind"
                        + " <> 'user'"))
                .containsExactly("assistant one  " + why);
        assertThat(sql.rows("select state || ' ' || owes_usage from turns"))
                .containsExactly("stopped " + status.equals("running"));
        assertThat(sql.rows("select turns from workspace_spending")).containsExactly("1");
    }

    /** What its host has told of a turn that it cannot end any more counts with the session. */
    @ParameterizedTest
    @CsvSource({"running, cancelled", "running, silent", "parked, error", "paused, cancelled"})
    void whatATurnHasUsedCountsThatEndsWithItsSession(String turn, String end) {
        String session = session("external", "running", turn, 0);
        sql.rows("update turns set told_input = 50, told_output = 20, input_tokens = 1");
        sql.rows("update agent_sessions set input_tokens = 1");

        if (end.equals("silent")) {
            sql.rows("update turns set claimed_at = now(), begun_at = now()");
            sql.rows("insert into session_heartbeats (session_id, beat_at) values ('%s', now() - interval '1 hour')"
                    .formatted(session));
            sql.execute(SessionSweepSql.batched(SessionSweepSql.SWEEP_SILENT, 10), "1000", "60000");
        } else {
            sql.execute(SessionCommandSql.END, transition(session, end));
        }

        String sums = "input_tokens || ' ' || output_tokens";
        assertThat(sql.rows("select turns || ' ' || " + sums + " from workspace_spending"))
                .containsExactly("1 50 20");
        assertThat(sql.rows("select " + sums + " from agent_sessions")).containsExactly("51 20");
        assertThat(sql.rows("select " + sums + " || ' ' || told_input || told_output || ' ' || owes_usage from turns"))
                .containsExactly("51 20 00 " + turn.equals("running"));
    }

    @Test
    void aCancelledAgentsLastEventIsThatItHasStopped() {
        String session = session("server", "running", "running", 1);

        sql.execute(SessionCommandSql.END, transition(session, "cancelled"));

        assertThat(told(session)).containsExactly("cancelled", "ended", "cancelled", "agent_command");
    }

    @Test
    void aQuestionThatIsOpenIsTakenBack() {
        String session = session("server", "idle", "waiting", 0);
        sql.rows("""
                insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, state, position)
                select next_id(), workspace_id, chat_id, id, id, 'question', 'Why?', 'open', 1 from agent_sessions""");
        sql.rows("update agent_sessions set blocked_on = 'Why?', updated_at = now() - interval '2 days'");

        sql.execute(
                SessionSweepSql.batched(SessionSweepSql.SWEEP_INACTIVE, 10),
                "1000",
                new UUID(0, 0).toString(),
                new UUID(0, 0).toString());

        assertThat(told(session)).containsExactly("cancelled", "cancelled", "agent_command");
        assertThat(sql.rows("select state from messages where kind = 'question'"))
                .containsExactly("withdrawn");
        assertThat(sql.rows("select blocked_on from agent_sessions")).containsExactly((String) null);
    }

    private void show(int from, String text) {
        sql.rows("""
                insert into chunks (position, workspace_id, chat_id, session_id, turn_id, from_char, text)
                select next_position((select max(position) from chunks), 0), workspace_id, chat_id, id, id, %d, '%s'
                from agent_sessions""".formatted(from, text));
    }

    @Test
    void whatWasShownOfAnAnswerIsKept() {
        String session = session("server", "running", "running", 0);
        show(4, "two \uD83D\uDE42");
        show(8, "\uD83D\uDE42\uD83D\uDE42 three");
        show(8, "\uD83D\uDE42");
        show(40, "lost");

        sql.execute(SessionCommandSql.END, transition(session, "completed"));

        assertThat(sql.rows("select content from messages")).containsExactly("one two \uD83D\uDE42\uD83D\uDE42 three");
        assertThat(sql.rows("select data ->> 'partial_response' from events where type = 'stopped'"))
                .containsExactly("one two \uD83D\uDE42\uD83D\uDE42 three");
    }

    @ParameterizedTest
    @ValueSource(ints = {4_095, 9_999})
    void aMailboxMayBeFull(int messages) {
        String session = session("external", "running", null, messages);

        sql.execute(SessionCommandSql.END, transition(session, "cancelled"));

        assertTold(session, messages);
        assertThat(told(session).getLast()).isEqualTo("cancelled.");
        assertThat(sql.rows("select count(*) from events where position >> 16 <> xmin::text::bigint"))
                .containsExactly("0");
    }

    @Test
    void manySilentOnesWithMuchMailHaveTheirPlaces() {
        List<String> sessions = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            sessions.add(session("external", "running", i % 2 == 0 ? "running" : null, 40 + 4_000 * (i / 6)));
        }
        sql.rows("insert into session_heartbeats select id, now() - interval '1 hour' from agent_sessions");

        int swept = 0;
        for (int i = 0; i < 3; i++) {
            swept += Integer.parseInt(
                    sql.execute(SessionSweepSql.batched(SessionSweepSql.SWEEP_SILENT, 100), "1000", "1000000")
                            .getFirst());
        }

        assertThat(swept).isEqualTo(8);
        for (int i = 0; i < 8; i++) {
            assertTold(sessions.get(i), 40 + 4_000 * (i / 6));
            assertThat(told(sessions.get(i)).getLast()).isEqualTo("error.");
        }
        assertThat(sql.rows("select count(*) from events where position >> 16 <> xmin::text::bigint"))
                .containsExactly("0");
    }

    /** It is in no snapshot of the statement that ends the session: that one began before, and waited. */
    @Test
    void aMessageThatCameWhileTheEndWaitedIsToldOfToo() throws Exception {
        String session = session("external", "running", null, 1);
        String chat = sql.rows("select chat_id from agent_sessions").getFirst();
        sql.connection().setAutoCommit(false);
        sql.rows("update agent_sessions set mail = 2");
        try (Statements other = Statements.on(database)) {
            CompletableFuture<List<String>> ending = CompletableFuture.supplyAsync(
                    () -> other.execute(SessionCommandSql.END, transition(session, "error")));
            await().until(() -> !Postgres.query(
                            database,
                            "select from pg_stat_activity where wait_event_type = 'Lock' and datname ="
                                    + " current_database()")
                    .isEmpty());
            sql.rows("""
                    insert into messages (id, workspace_id, chat_id, session_id, kind, content, state, position)
                    values (next_id(), '%s', '%s', '%s', 'user', '2', 'new', 2)""".formatted(ID, chat, session));
            sql.connection().commit();
            ending.join();
        }
        sql.connection().setAutoCommit(true);

        assertThat(told(session)).containsExactly("ended", "ended", "error.");
        assertTold(session, 2);
    }
}
