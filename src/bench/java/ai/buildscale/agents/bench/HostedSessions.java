package ai.buildscale.agents.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The sessions of one workspace as the database has them, all put on one server, and who owns them then. */
final class HostedSessions implements AutoCloseable {
    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

    /** More than {@code server.watch-interval}. */
    private static final Duration LOOK = Duration.ofMillis(700);

    private final Connection connection;
    private final int count;

    private HostedSessions(Connection connection, int count) {
        this.connection = connection;
        this.count = count;
    }

    /** Makes the workspace, with room for all, in a migrated database. */
    static HostedSessions open(String database, int count) throws SQLException {
        Lab.fill(database, 1, 0, "server", "idle");
        return new HostedSessions(Lab.connect(database), count);
    }

    int count() {
        return count;
    }

    /** Begins anew: all of them on this server, in their first epoch, each other one running. */
    void putOn(Fleet.Member member) throws SQLException {
        clear();
        execute("""
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                    current_task, hosting, server_id, server_hostname)
                select %s, '%s', %s, '%s', 'assistant', case n %% 2 when 0 then 'idle' else 'running' end, 'gpt-5-mini',
                       'chat', 'Summarise the incident', 'server', '%s', '%s'
                from generate_series(%d, %d) n
                """.formatted(
                        Lab.id(Lab.SESSION, "n"),
                        Lab.WORKSPACE + Lab.FIRST,
                        Lab.id(Lab.CHAT, "n"),
                        Lab.USER,
                        member.id(),
                        member.hostname(),
                        Lab.FIRST,
                        Lab.FIRST + count - 1));
        execute("update workspace_usage set live_sessions = " + count + ", total_sessions = " + count);
        execute("vacuum analyze agent_sessions, events, session_commands, workspace_usage");
    }

    void clear() throws SQLException {
        execute("delete from agent_sessions");
        execute("delete from events");
        execute("update workspace_usage set live_sessions = 0, total_sessions = 0");
    }

    /** Waits until each server has counted what it owns now, and the others have seen that: they share by these counts. */
    void awaitCounted() throws SQLException, InterruptedException {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        try (PreparedStatement wrong = connection.prepareStatement("""
                select count(*) from servers v
                where v.lost_at is null and v.left_at is null and v.sessions <> (
                    select count(*) from agent_sessions s where s.server_id = v.id and s.ended_at is null)""")) {
            while (number(wrong) > 0) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("the servers do not count their sessions");
                }
                Thread.sleep(100);
            }
        }
        Thread.sleep(LOOK);
    }

    /** When the server had lost its last session, as {@link System#nanoTime} has it. */
    long awaitLeft(Fleet.Member member) throws SQLException {
        try (PreparedStatement left = connection.prepareStatement(
                "select count(*) from agent_sessions where server_id = ? and ended_at is null")) {
            left.setObject(1, member.id());
            long next = System.nanoTime();
            long deadline = next + PATIENCE_NANOS;
            while (true) {
                long remaining = number(left);
                long now = System.nanoTime();
                if (remaining == 0) {
                    return now;
                }
                if (now > deadline) {
                    throw new IllegalStateException(
                            member.hostname() + " still has " + remaining + " of " + count + " sessions");
                }
                next = Math.max(next + POLL_NANOS, now);
                LockSupport.parkNanos(next - now);
            }
        }
    }

    /** What each has become: its epoch, whether its state is another, how it was told of. Those handed twice show it. */
    String movedAs() throws SQLException {
        List<String> found = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("""
                        select count(*), s.epoch, e.told,
                               s.status = case right(s.id::text, 12)::bigint % 2 when 0 then 'idle' else 'running' end
                        from agent_sessions s
                        left join (
                            select session_id, string_agg(type || ' ' || (data ->> 'reason'), ', ' order by position) told
                            from events where type in ('agent_recovered', 'agent_migrated') group by 1) e
                            on e.session_id = s.id
                        group by 2, 3, 4 order by 1 desc""")) {
            while (rows.next()) {
                found.add(moved(rows.getInt(1), rows.getLong(2), rows.getString(3))
                        + (rows.getBoolean(4) ? "" : ", changed"));
            }
        }
        return String.join("; ", found);
    }

    /** The same as it should be: all of them once. */
    String movedOnce(String event, String reason) {
        return moved(count, 2, event + " " + reason);
    }

    private static String moved(int sessions, long epoch, String told) {
        return sessions + " in epoch " + epoch + " by " + told;
    }

    /** How many the server owns that has the most. */
    long largestShare() throws SQLException {
        try (PreparedStatement share = connection.prepareStatement(
                "select max(n) from (select count(*) as n from agent_sessions group by server_id) shares")) {
            return number(share);
        }
    }

    void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static long number(PreparedStatement statement) throws SQLException {
        try (ResultSet rows = statement.executeQuery()) {
            rows.next();
            return rows.getLong(1);
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
