package ai.buildscale.agents.testing;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.dev.WatchedProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.eclipse.microprofile.config.ConfigProvider;

/**
 * The packaged service (a jar, or the native executable) as a process of its own on a free loopback port. Tests speak
 * to it as clients do. {@link #shared()} is one for all tests that need nothing special; contract tests have the one
 * that Quarkus starts.
 */
public final class Service implements AutoCloseable {
    private static final Path TARGET = Path.of("target").toAbsolutePath();
    /** What is tested. */
    public static final Path ARTIFACT = Path.of(System.getProperty(
            "service.artifact", TARGET.resolve("quarkus-app/quarkus-run.jar").toString()));

    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final Pattern VARIABLE = Pattern.compile("[A-Z0-9_]+");
    /** Below the ephemeral range, so that no outgoing connection takes the port meanwhile. */
    private static final AtomicInteger NEXT_PORT =
            new AtomicInteger(20_000 + (int) (ProcessHandle.current().pid() % 10_000));

    private static Service shared;
    /** The database of the service of Quarkus' that is known to be ready. */
    private static String ready;

    private final WatchedProcess process;
    private final int port;
    private final String databaseUrl;
    private final Path log;

    private Service(WatchedProcess process, int port, String databaseUrl, Path log) {
        this.process = process;
        this.port = port;
        this.databaseUrl = databaseUrl;
        this.log = log;
    }

    /** One service for all tests of this JVM, on a database of its own; never stop or reconfigure it. */
    public static synchronized Service shared() {
        if (shared == null) {
            shared = start(Map.of());
            Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
        }
        return shared;
    }

    /** The one that Quarkus has started for a contract test, which it also stops. Returns once it is ready. */
    public static synchronized Service ofQuarkus() {
        URI url = URI.create(ConfigProvider.getConfig().getValue("test.url", String.class));
        Service service = new Service(null, url.getPort(), PostgresResource.database(), TARGET.resolve("quarkus.log"));
        // Quarkus does not wait for the schema, and starts another one on a new database after a test that failed
        if (!service.databaseUrl.equals(ready)) {
            service.awaitReady();
            ready = service.databaseUrl;
        }
        return service;
    }

    /**
     * Starts one on a new database.
     *
     * @param settings configuration properties, as {@code sessions.stale-threshold}; names in capitals are variables
     *     of its environment
     */
    public static Service start(Map<String, String> settings) {
        return start(Postgres.newDatabase(), settings);
    }

    /** Starts one on this database. Returns once it is ready. */
    public static Service start(String databaseUrl, Map<String, String> settings) {
        Service service = launch(databaseUrl, settings);
        service.awaitReady();
        return service;
    }

    /**
     * Starts one without waiting for it to be ready.
     *
     * @param flags for the JVM, if it is one; an executable gets those that set a property
     */
    public static Service launch(String databaseUrl, Map<String, String> settings, String... flags) {
        return launch(ARTIFACT, databaseUrl, settings, flags);
    }

    /** The same of another build: a jar, or a native executable. */
    public static Service launch(Path artifact, String databaseUrl, Map<String, String> settings, String... flags) {
        try {
            int port = freePort();
            Path folder = Files.createDirectories(TARGET.resolve("it"));
            Path log = folder.resolve("service-" + COUNT.incrementAndGet() + ".log");
            Files.deleteIfExists(log);
            Map<String, String> environment = new HashMap<>();
            environment.put("DATABASE_URL", databaseUrl);
            environment.put("JWT_KEYS", Tokens.keys().publicFile().toUri().toString());
            environment.put("JWT_ISSUER", DevKeys.ISSUER);
            environment.put("JWT_AUDIENCE", DevKeys.AUDIENCE);
            List<String> command = new ArrayList<>();
            boolean jar = artifact.toString().endsWith(".jar");
            if (jar) {
                command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
                command.add("-Xmx512m");
                // no process here lives long enough for the second compiler, which costs a third of a start on two
                // cores
                command.add("-XX:TieredStopAtLevel=1");
                if (artifact.equals(ARTIFACT)) {
                    command.addAll(StartCache.flags());
                }
                command.addAll(List.of(flags));
            } else {
                command.add(artifact.toString());
                Stream.of(flags).filter(flag -> flag.startsWith("-D")).forEach(command::add);
            }
            Map<String, String> properties = new HashMap<>(Map.of(
                    "quarkus.http.host", "127.0.0.1",
                    "quarkus.http.port", Integer.toString(port),
                    "limits.requests-per-second", "0"));
            properties.putAll(settings);
            properties.forEach((name, value) -> {
                if (VARIABLE.matcher(name).matches()) {
                    environment.put(name, value);
                } else {
                    command.add("-D" + name + "=" + value);
                }
            });
            if (jar) {
                command.addAll(List.of("-jar", artifact.toString()));
            }
            WatchedProcess process =
                    WatchedProcess.start("TERM", log.toFile(), folder.toFile(), environment, List.of(), command);
            return new Service(process, port, databaseUrl, log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether it is an executable without a JVM. */
    public static boolean isNative() {
        return !ARTIFACT.toString().endsWith(".jar");
    }

    public static int freePort() {
        while (true) {
            int port = NEXT_PORT.incrementAndGet();
            try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return free.getLocalPort();
            } catch (IOException e) {
                // taken: the next one
            }
        }
    }

    /** Waits until it says that it is ready. */
    public void awaitReady() {
        Instant deadline = Instant.now().plus(START_TIMEOUT);
        while (statusOf("/q/health/ready") != 200) {
            if ((process != null && !process.isAlive()) || Instant.now().isAfter(deadline)) {
                throw new AssertionError("the service did not become ready:\n" + log());
            }
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** The status of a GET without a token; 0 if nobody answers. */
    public int statusOf(String path) {
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url(path)))
                    .timeout(Duration.ofSeconds(10))
                    .build();
            return Api.HTTP
                    .send(request, HttpResponse.BodyHandlers.discarding())
                    .statusCode();
        } catch (IOException e) {
            return 0;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** The value of a metric without labels, as {@code events_streams_open}; 0 while it has not been needed. */
    public double metric(String name) {
        try {
            HttpRequest request =
                    HttpRequest.newBuilder(URI.create(url("/q/metrics"))).build();
            return Api.HTTP
                    .send(request, HttpResponse.BodyHandlers.ofString())
                    .body()
                    .lines()
                    .filter(line -> line.startsWith(name + " "))
                    .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    public String url(String path) {
        return "http://127.0.0.1:" + port + path;
    }

    public int port() {
        return port;
    }

    public String databaseUrl() {
        return databaseUrl;
    }

    public String log() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The process, for signals and its memory. */
    public ProcessHandle handle() {
        return process.handle();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** {@code kill -9}. */
    public void kill() throws InterruptedException {
        process.kill();
    }

    @Override
    public void close() {
        process.close();
    }
}
