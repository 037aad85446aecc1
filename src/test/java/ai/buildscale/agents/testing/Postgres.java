package ai.buildscale.agents.testing;

import ai.buildscale.agents.dev.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.flywaydb.core.Flyway;

/** One embedded Postgres for all tests of this JVM; databases in it as tests need them; SQL past the service's back. */
public final class Postgres {
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static EmbeddedPostgres shared;

    private Postgres() {}

    /** The server that all tests share; never stop it. */
    public static synchronized EmbeddedPostgres shared() {
        if (shared == null) {
            shared = newServer("it-postgres", "fsync=off", "full_page_writes=off");
        }
        return shared;
    }

    /** A server of its own for a test that harms it; stopped and removed with this JVM, if not before. */
    public static EmbeddedPostgres newServer(String name, String... settings) {
        EmbeddedPostgres server = EmbeddedPostgres.start(
                Path.of("target", name + "-" + ProcessHandle.current().pid()), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(server)));
        return server;
    }

    private static void remove(EmbeddedPostgres server) {
        server.close();
        try (Stream<Path> files = Files.walk(server.home())) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The URL of a new, empty database. */
    public static String newDatabase() {
        return newDatabase(shared());
    }

    public static String newDatabase(EmbeddedPostgres server) {
        String name = "it_" + COUNT.incrementAndGet();
        execute(server.url("postgres"), "create database " + name);
        return server.url(name);
    }

    /** The URL of a new database with the schema, for tests that need no service. */
    public static String newMigratedDatabase() {
        String url = newDatabase();
        URI uri = URI.create(url);
        String[] user = uri.getUserInfo().split(":", 2);
        Flyway.configure().dataSource(jdbc(uri), user[0], user[1]).load().migrate();
        return url;
    }

    /** Lets the fleet on this database have been there to hear since ever: who has long been silent is stale at once. */
    public static void neverAway(String url) {
        execute(
                url,
                "insert into sweeps (name, started_at, finished_at) values ('hearing', '-infinity', now())"
                        + " on conflict (name) do update set started_at = excluded.started_at");
    }

    /** Runs a statement; emits the number of rows it changed. */
    public static int execute(String url, String sql, Object... arguments) {
        try (Connection connection = connect(url);
                var statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < arguments.length; i++) {
                statement.setObject(i + 1, arguments[i]);
            }
            return statement.execute() ? 0 : statement.getUpdateCount();
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }

    /** Reads rows, each by column name. */
    public static List<Map<String, Object>> query(String url, String sql) {
        try (Connection connection = connect(url);
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<Map<String, Object>> all = new ArrayList<>();
            while (rows.next()) {
                Map<String, Object> row = new LinkedHashMap<>();
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                    row.put(rows.getMetaData().getColumnLabel(i), rows.getObject(i));
                }
                all.add(row);
            }
            return all;
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }

    /** How often the shared server's log has said this, as {@code deadlock detected}. */
    public static long logged(String text) {
        try (Stream<String> lines = Files.lines(shared().home().resolve("postgres.log"))) {
            return lines.filter(line -> line.contains(text)).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A JDBC connection, for a transaction that a test holds open. */
    public static Connection connect(String url) throws SQLException {
        URI uri = URI.create(url);
        String[] user = uri.getUserInfo().split(":", 2);
        return DriverManager.getConnection(jdbc(uri), user[0], user[1]);
    }

    private static String jdbc(URI uri) {
        return "jdbc:postgresql://" + uri.getHost() + ":" + uri.getPort() + uri.getPath();
    }
}
