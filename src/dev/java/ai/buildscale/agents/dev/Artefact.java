package ai.buildscale.agents.dev;

import java.io.IOException;
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
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The packaged service, a jar or an executable, as a process of its own on a free loopback port, with keys and a database. */
public final class Artefact implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    /** What a JVM chooses in a pod of {@code deploy/}, which has 768 MB: the flags of Dockerfile.jvm, and its ergonomics. */
    private static final List<String> POD = List.of("-XX:MaxRAM=768m", "-XX:MaxRAMPercentage=60", "-XX:+UseSerialGC");

    private final WatchedProcess process;
    private final String url;

    private Artefact(WatchedProcess process, String url) {
        this.process = process;
        this.url = url;
    }

    /** A JVM's flags, with those that make it what it is in a pod. */
    public static List<String> inPod(List<String> flags) {
        return Stream.concat(POD.stream(), flags.stream()).toList();
    }

    /**
     * Starts it and waits until it is ready.
     *
     * @param folder where it runs, and where its log and its keys are
     * @param flags of the JVM, for a jar
     * @param settings as {@code -Dname=value}
     */
    static Artefact start(
            Path artefact, Path folder, DevKeys keys, String databaseUrl, List<String> flags, List<String> settings)
            throws IOException, InterruptedException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Path log = folder.resolve("service.log");
        Files.deleteIfExists(log);
        Map<String, String> environment = Map.of(
                "DATABASE_URL",
                databaseUrl,
                "JWT_KEYS",
                keys.publicFile().toUri().toString(),
                "JWT_ISSUER",
                DevKeys.ISSUER,
                "JWT_AUDIENCE",
                DevKeys.AUDIENCE);
        List<String> properties = new ArrayList<>(List.of(
                "-Dquarkus.http.host=127.0.0.1",
                "-Dquarkus.http.port=" + port,
                // for one that is packaged with src/dev
                "-Ddev.data-dir=" + folder));
        properties.addAll(settings);
        WatchedProcess process = WatchedProcess.start(
                "TERM",
                log.toFile(),
                folder.toFile(),
                environment,
                List.of(),
                command(artefact.toAbsolutePath(), flags, properties));
        Artefact service = new Artefact(process, "http://127.0.0.1:" + port);
        try {
            service.awaitReady(log);
        } catch (IllegalStateException | InterruptedException e) {
            service.close();
            throw e;
        }
        return service;
    }

    private static List<String> command(Path artefact, List<String> flags, List<String> properties) {
        List<String> command = new ArrayList<>();
        if (!artefact.toString().endsWith(".jar")) {
            command.add(artefact.toString());
            command.addAll(properties);
            return command;
        }
        command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
        command.add("--sun-misc-unsafe-memory-access=allow");
        command.addAll(flags);
        command.addAll(properties);
        command.addAll(List.of("-jar", artefact.toString()));
        return command;
    }

    private void awaitReady(Path log) throws InterruptedException {
        Instant deadline = Instant.now().plus(START_TIMEOUT);
        while (statusOf(url + "/q/health/ready") != 200) {
            if (!process.isAlive() || Instant.now().isAfter(deadline)) {
                throw new IllegalStateException("the service did not start, see " + log);
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    /** The status of a GET; 0 if nobody answers. */
    static int statusOf(String url) throws InterruptedException {
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                    .timeout(Duration.ofSeconds(5))
                    .build();
            return HTTP.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
        } catch (IOException e) {
            return 0;
        }
    }

    String url() {
        return url;
    }

    /** Tells it to end, and waits for as long as that takes; its exit code. */
    int end() throws InterruptedException {
        process.handle().destroy();
        return process.waitFor();
    }

    @Override
    public void close() {
        process.close();
    }
}
