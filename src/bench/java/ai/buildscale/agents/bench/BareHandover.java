package ai.buildscale.agents.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.UUID;

/**
 * The limit of a handover: the same rows, copied into tables of the same shape, given to another owner by one connection
 * in batches, with one event each, and nothing else.
 */
final class BareHandover implements AutoCloseable {
    private static final int BATCH = 500;

    private static final String HAND_OVER = """
            with held as (
                select s.id, s.last_position, row_number() over () as ordinal
                from (select * from bare.agent_sessions where server_id = ? and ended_at is null
                      order by id limit %d for no key update) s),
            moved as (
                update bare.agent_sessions s
                set server_id = ?, server_hostname = 'another', epoch = s.epoch + 1, version = s.version + 1,
                    last_position = next_position(h.last_position, h.ordinal)
                from held h
                where s.id = h.id
                returning s.*)
            insert into bare.events (position, workspace_id, chat_id, session_id, type, data, at)
            select m.last_position, m.workspace_id, m.chat_id, m.id, 'agent_recovered',
                   jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
                       'status', m.status, 'server_id', m.server_id, 'server_hostname', m.server_hostname,
                       'at', utc(now()), 'epoch', m.epoch, 'version', m.version),
                   now()
            from moved m""".formatted(BATCH);

    private final Connection connection;

    BareHandover(String database) throws SQLException {
        this.connection = Lab.connect(database);
        execute("""
                create schema bare;
                create table bare.agent_sessions (like agent_sessions including all) with (fillfactor = 85);
                create table bare.events (like events including all)""");
    }

    /** Seconds that all the sessions of the server take. */
    double measure(Fleet.Member member) throws SQLException {
        execute(
                "truncate bare.agent_sessions, bare.events; insert into bare.agent_sessions select * from agent_sessions");
        execute("vacuum analyze bare.agent_sessions, bare.events");
        execute("checkpoint");
        try (PreparedStatement handOver = connection.prepareStatement(HAND_OVER)) {
            handOver.setObject(1, member.id());
            handOver.setObject(2, UUID.randomUUID());
            long start = System.nanoTime();
            while (handOver.executeUpdate() > 0) {
                // the next batch
            }
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
