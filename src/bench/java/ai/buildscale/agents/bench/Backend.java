package ai.buildscale.agents.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** A connection to Postgres, and how much processor time its backend has had. */
final class Backend implements AutoCloseable {
    private static final int WARM_UP = 10;

    private final Connection connection;
    private final Statement statement;
    private final Path schedule;

    Backend(String database) throws SQLException {
        connection = Lab.connect(database);
        statement = connection.createStatement();
        // as the service's connections have it
        execute("set plan_cache_mode = force_generic_plan; set random_page_cost = 1.1");
        try (ResultSet rows = statement.executeQuery("select pg_backend_pid()")) {
            rows.next();
            schedule = Path.of("/proc", rows.getString(1), "schedstat");
        }
    }

    /** Something that this backend does. */
    interface Work {
        void run() throws SQLException;
    }

    void execute(String sql) throws SQLException {
        statement.execute(sql);
    }

    /** Prepares a statement of the service, to be executed by this name. */
    void prepare(String name, String sql) throws SQLException {
        execute("prepare " + name + " as " + sql);
    }

    /** Nanoseconds that the backend has run. */
    long nanos() throws IOException {
        return Long.parseLong(Files.readString(schedule).split(" ", 2)[0]);
    }

    /** Microseconds of processor time that this takes, executed over and over for a while. */
    double micros(String sql) throws SQLException, IOException {
        for (int i = 0; i < WARM_UP; i++) {
            execute(sql);
        }
        long before = nanos();
        long end = System.nanoTime() + 500_000_000L;
        int times = 0;
        while (System.nanoTime() < end) {
            execute(sql);
            times++;
        }
        return (nanos() - before) / 1e3 / times;
    }

    /** Microseconds of processor time that this takes, done once. */
    double microsOnce(Work work) throws SQLException, IOException {
        long before = nanos();
        work.run();
        return (nanos() - before) / 1e3;
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
