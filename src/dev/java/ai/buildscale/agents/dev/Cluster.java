package ai.buildscale.agents.dev;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * Several servers on one embedded Postgres, each a process of its own, to watch the fleet and to do it harm. Runs until
 * it is told to stop or no server is left; whatever ends it ends them all.
 */
@SuppressWarnings("SystemOut")
public final class Cluster {
    private static final Path FOLDER = Path.of("target/cluster");
    private static final Path SERVICE = Path.of("target/embedded/quarkus-app/quarkus-run.jar");
    private static final Duration START_TIMEOUT = Duration.ofSeconds(90);
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    private final Path data =
            Path.of(System.getProperty("dev.data-dir", "data")).toAbsolutePath();
    private final List<Server> servers = new CopyOnWriteArrayList<>();
    private EmbeddedPostgres postgres;
    private volatile boolean stopping;

    private Cluster() {}

    public static void main(String[] arguments) throws Exception {
        int count = number("SERVERS", 3);
        int firstPort = number("PORT", 8081);
        for (int port = firstPort; port < firstPort + count; port++) {
            if (isTaken(port)) {
                fail("Port " + port + " is taken: end what listens there, or set PORT to the first of " + count
                        + " free ones");
            }
        }
        Cluster cluster = new Cluster();
        Runtime.getRuntime().addShutdownHook(new Thread(cluster::stop));
        cluster.start(count, firstPort);
        cluster.watch();
        fail("No server is left");
    }

    private static int number(String variable, int otherwise) {
        String text = System.getenv(variable);
        if (text == null || text.isBlank()) {
            return otherwise;
        }
        if (!text.matches("[1-9][0-9]{0,4}")) {
            fail(variable + " must be a number above 0, not " + text);
        }
        return Integer.parseInt(text);
    }

    private static boolean isTaken(int port) {
        try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            return !free.isBound();
        } catch (IOException | IllegalArgumentException e) {
            return true;
        }
    }

    private static void fail(String why) {
        System.err.println(why);
        System.exit(1);
    }

    private record Server(int number, int port, WatchedProcess process) {
        String name() {
            return "server-" + number;
        }

        String url() {
            return "http://localhost:" + port;
        }

        Path pidFile() {
            return FOLDER.resolve(name() + ".pid");
        }

        Path log() {
            return FOLDER.resolve(name() + ".log");
        }

        boolean isReady() throws InterruptedException {
            try {
                HttpRequest request = HttpRequest.newBuilder(URI.create(url() + "/q/health/ready"))
                        .timeout(Duration.ofSeconds(5))
                        .build();
                return HTTP.send(request, HttpResponse.BodyHandlers.discarding())
                                .statusCode()
                        == 200;
            } catch (IOException e) {
                return false;
            }
        }

        void forgetPid() {
            try {
                Files.deleteIfExists(pidFile());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private void start(int count, int firstPort) throws IOException, InterruptedException {
        Files.createDirectories(FOLDER);
        say("Starting Postgres and " + count + " servers …");
        // before the servers, which would each make a pair of their own
        new DevKeys(data);
        postgres = EmbeddedPostgres.start(data.resolve("cluster-postgres-18"), "shared_buffers=256MB");
        for (int i = 0; i < count; i++) {
            servers.add(launch(i + 1, firstPort + i));
        }
        Instant deadline = Instant.now().plus(START_TIMEOUT);
        for (Server server : servers) {
            while (!server.isReady()) {
                if (!server.process().isAlive() || Instant.now().isAfter(deadline)) {
                    fail(server.name() + " did not start, see " + server.log());
                }
                TimeUnit.MILLISECONDS.sleep(100);
            }
            Files.writeString(server.pidFile(), server.process().handle().pid() + System.lineSeparator());
        }
        explain();
    }

    private Server launch(int number, int port) throws IOException {
        Server planned = new Server(number, port, null);
        planned.forgetPid();
        Files.deleteIfExists(planned.log());
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--sun-misc-unsafe-memory-access=allow",
                "-Xmx512m",
                "-Dquarkus.http.port=" + port,
                "-Ddev.data-dir=" + data,
                "-Dserver.hostname=" + planned.name(),
                "-Dserver.url=" + planned.url()));
        String flags = System.getenv("JVM_ARGS");
        if (flags != null && !flags.isBlank()) {
            command.addAll(List.of(flags.strip().split("\\s+")));
        }
        command.addAll(List.of("-jar", SERVICE.toAbsolutePath().toString()));
        WatchedProcess process = WatchedProcess.start(
                "TERM",
                planned.log().toAbsolutePath().toFile(),
                FOLDER.toAbsolutePath().toFile(),
                Map.of("DATABASE_URL", postgres.url("postgres")),
                List.of(),
                command);
        return new Server(number, port, process);
    }

    private void explain() {
        say("");
        servers.forEach(server -> say("  %s  %s  log: %s".formatted(server.name(), server.url(), server.log())));
        Server first = servers.getFirst();
        say("""
                  Postgres  %2$s  (data in %3$s)

                A token for an operator, good at each of them, and who is in the fleet; paste both lines:

                  TOKEN=$(curl -s -X POST %1$s/api/v1/dev/tokens -H 'Content-Type: application/json' -d '{"groups":["admin"]}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
                  curl -s %1$s/api/v1/servers -H "Authorization: Bearer $TOKEN"

                A server crashes:        kill -9 $(cat %4$s)
                it hangs, and comes to:  kill -STOP $(cat %4$s); sleep 10; kill -CONT $(cat %4$s)
                it is shut down:         kill $(cat %4$s)
                one more joins:          PORT=%5$d DATABASE_URL=%2$s make run

                Ctrl-C ends them all.
                """.formatted(
                        first.url(),
                        postgres.url("postgres"),
                        postgres.home(),
                        first.pidFile(),
                        servers.getLast().port() + 1));
    }

    /** Says when a server ends; returns when none is left. */
    private void watch() throws InterruptedException {
        List<Thread> watches = servers.stream()
                .map(server -> Thread.ofVirtual().start(() -> watch(server)))
                .toList();
        for (Thread watch : watches) {
            watch.join();
        }
        // what was told to stop is stopping: the process ends with that
        while (stopping) {
            TimeUnit.SECONDS.sleep(1);
        }
    }

    private static void watch(Server server) {
        try {
            int code = server.process().waitFor();
            server.forgetPid();
            say(server.name() + " has ended (exit code " + code + ")");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void stop() {
        stopping = true;
        List<Thread> closing = IntStream.range(0, servers.size())
                .mapToObj(i -> Thread.ofVirtual().start(() -> {
                    servers.get(i).process().close();
                    servers.get(i).forgetPid();
                }))
                .toList();
        try {
            for (Thread one : closing) {
                one.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (postgres != null) {
            postgres.close();
        }
    }

    private static void say(String line) {
        System.out.println(line);
    }
}
