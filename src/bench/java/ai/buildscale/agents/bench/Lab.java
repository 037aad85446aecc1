package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.dev.EmbeddedPostgres;
import ai.buildscale.agents.dev.WatchedProcess;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;

/** What the rows run on: one real Postgres, databases in it, tokens, processes. All of it is on loopback. */
final class Lab implements AutoCloseable {
    static final Path FOLDER = Path.of("target/bench").toAbsolutePath();
    static final List<String> POSTGRES_SETTINGS = List.of("shared_buffers=1GB", "max_wal_size=4GB");
    /** Who owns every session. */
    static final UUID USER = UUID.fromString("01990000-0000-7000-b000-000000000001");
    /** Ids that a load generator can work out: the prefix, then the number. */
    static final String SESSION = "01990000-0000-7000-8000-";

    static final String WORKSPACE = "01990000-0000-7000-9000-";
    static final String CHAT = "01990000-0000-7000-a000-";
    /** The first number: with it, each has the twelve digits that an id ends with. */
    static final long FIRST = 100_000_000_000L;

    /** Below the ephemeral range, so that no outgoing connection takes the port meanwhile. */
    private static final AtomicInteger NEXT_PORT =
            new AtomicInteger(20_000 + (int) (ProcessHandle.current().pid() % 10_000));

    private final EmbeddedPostgres postgres;
    private final DevKeys keys;

    private Lab(EmbeddedPostgres postgres, DevKeys keys) {
        this.postgres = postgres;
        this.keys = keys;
    }

    static Lab open() {
        return new Lab(
                EmbeddedPostgres.start(FOLDER.resolve("postgres-18"), POSTGRES_SETTINGS.toArray(String[]::new)),
                new DevKeys(FOLDER.resolve("keys")));
    }

    @Override
    public void close() {
        postgres.close();
    }

    static int freePort() {
        while (true) {
            int port = NEXT_PORT.incrementAndGet();
            try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return free.getLocalPort();
            } catch (IOException e) {
                // taken: the next one
            }
        }
    }

    DevKeys keys() {
        return keys;
    }

    /** A token of {@link #USER} for longer than any row takes. */
    String token(String... groups) {
        return keys.token(USER, Set.of(groups), Duration.ofHours(6));
    }

    /** An empty database; the one that an earlier run left under the name is dropped. */
    String newDatabase(String name) {
        return postgres.newDatabase(name);
    }

    void dropDatabase(String name) throws SQLException {
        execute(postgres.url("postgres"), "drop database if exists " + name + " with (force)");
    }

    String postgresVersion() {
        try {
            return string(postgres.url("postgres"), "show server_version");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    static Connection connect(String url) throws SQLException {
        URI uri = URI.create(url);
        String[] user = uri.getUserInfo().split(":", 2);
        return DriverManager.getConnection(
                "jdbc:postgresql://" + uri.getHost() + ":" + uri.getPort() + uri.getPath(), user[0], user[1]);
    }

    static void execute(String url, String sql) throws SQLException {
        try (Connection connection = connect(url);
                var statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static String string(String url, String sql) throws SQLException {
        try (Connection connection = connect(url);
                var statement = connection.createStatement();
                var rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    static long number(String url, String sql) throws SQLException {
        return Long.parseLong(string(url, sql));
    }

    /** The id as SQL: the prefix and an expression for the number. */
    static String id(String prefix, String number) {
        return "('" + prefix + "' || (" + number + "))::uuid";
    }

    /**
     * Fills a migrated database with workspaces of {@link #USER} and sessions spread evenly over them, numbered from
     * {@link #FIRST}. Those that beat for themselves have just beaten.
     */
    static void fill(String url, int workspaces, int sessions, String hosting, String status) throws SQLException {
        fill(url, workspaces, FIRST + " + n % " + workspaces, sessions, hosting, status);
    }

    /**
     * The same, but spread otherwise.
     *
     * @param workspace the number of the workspace that session {@code n} is in, as SQL
     */
    static void fill(String url, int workspaces, String workspace, int sessions, String hosting, String status)
            throws SQLException {
        execute(url, """
                insert into workspaces (id, name, created_by, max_live_sessions)
                select %1$s, 'bench', '%2$s', 2000000000 from generate_series(%3$d, %3$d + %4$d - 1) n
                """.formatted(id(WORKSPACE, "n"), USER, FIRST, workspaces));
        execute(
                url,
                "insert into workspace_members (workspace_id, user_id, role) select id, '" + USER
                        + "', 'owner' from workspaces");
        execute(url, """
                insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
                    current_task, hosting, server_id, server_hostname)
                select %1$s, %2$s, %3$s, '%4$s', 'assistant', '%5$s', 'gpt-5-mini', 'chat', 'Summarise the incident',
                       '%6$s', v.id, v.hostname
                from generate_series(%7$d, %7$d + %8$d - 1) n
                left join lateral (select id, hostname from servers limit 1) v on '%6$s' = 'server'
                """.formatted(
                id(SESSION, "n"), id(WORKSPACE, workspace), id(CHAT, "n"), USER, status, hosting, FIRST, sessions));
        execute(url, """
                insert into workspace_usage (workspace_id, live_sessions, total_sessions)
                select w.id, count(s.id), count(s.id) from workspaces w left join agent_sessions s on s.workspace_id = w.id
                group by 1
                """);
        execute(url, "vacuum analyze");
        execute(
                url,
                "insert into session_heartbeats (session_id) select id from agent_sessions"
                        + " where hosting = 'external' order by id");
        execute(url, "analyze session_heartbeats");
    }

    /** Starts the packaged service on the database; returns once it is ready. */
    PackagedService service(String databaseUrl, String... properties) throws IOException {
        return PackagedService.start(databaseUrl, keys, properties);
    }

    /** Another program of this package in a JVM of its own. */
    static WatchedProcess start(String name, Class<?> program, String... arguments) throws IOException {
        List<String> command = java();
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
        command.addAll(List.of(arguments));
        return WatchedProcess.start(
                "TERM", log(name).toFile(), new File("").getAbsoluteFile(), Map.of(), List.of(), command);
    }

    static List<String> java() {
        return new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--sun-misc-unsafe-memory-access=allow"));
    }

    /** A script for a peer, with each {@code {name}} replaced by its value. */
    static Path script(String name, String text, Map<String, ?> values) throws IOException {
        String script = text;
        for (Map.Entry<String, ?> value : values.entrySet()) {
            script = script.replace("{" + value.getKey() + "}", value.getValue().toString());
        }
        return Files.writeString(FOLDER.resolve(name), script);
    }

    /** An empty log file. */
    static Path log(String name) throws IOException {
        Path log = FOLDER.resolve(name + ".log");
        Files.writeString(log, "");
        return log;
    }
}
