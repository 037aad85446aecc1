package ai.buildscale.agents.testing;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The service's own statements, with their {@code $1}, on a connection. */
public record Statements(Connection connection) implements AutoCloseable {
    public static Statements on(String url) throws SQLException {
        return new Statements(Postgres.connect(url));
    }

    /** The first column of what it returns. */
    public List<String> rows(String sql) {
        try (Statement statement = connection.createStatement()) {
            List<String> all = new ArrayList<>();
            if (statement.execute(sql)) {
                ResultSet rows = statement.getResultSet();
                while (rows.next()) {
                    all.add(rows.getString(1));
                }
            }
            return all;
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }

    /** The same with parameters, each of which may be null. */
    public List<String> execute(String sql, String... arguments) {
        rows("prepare it as " + sql);
        try {
            return rows("execute it("
                    + Stream.of(arguments)
                            .map(one -> one == null ? "null" : "'" + one + "'")
                            .collect(Collectors.joining(", "))
                    + ")");
        } finally {
            rows("deallocate it");
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
