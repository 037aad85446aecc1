package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.dev.WatchedProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The production artefact as a process, as an operator runs it, but for the limit of requests. */
record PackagedService(WatchedProcess process, int port) implements AutoCloseable {
    /** The jar, or what a single run names: {@code JVM_ARGS=-Dbench.artifact=target/…-runner}. */
    static final Path ARTIFACT = Path.of(System.getProperty("bench.artifact", "target/quarkus-app/quarkus-run.jar"))
            .toAbsolutePath();

    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    /** Flags for single runs, as a flight recording: {@code JVM_ARGS=-Dbench.service.jvm=...}. */
    private static final List<String> FLAGS = Stream.of(
                    System.getProperty("bench.service.jvm", "").split(" ", -1))
            .filter(flag -> !flag.isBlank())
            .toList();

    static PackagedService start(String databaseUrl, DevKeys keys, String... properties) throws IOException {
        return start(ARTIFACT, databaseUrl, keys, properties);
    }

    /** The same of another build. */
    static PackagedService start(Path artifact, String databaseUrl, DevKeys keys, String... properties)
            throws IOException {
        int port = Lab.freePort();
        Path log = Lab.log("service-" + port);
        List<String> settings = new ArrayList<>(List.of(
                "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port=" + port, "-Dlimits.requests-per-second=0"));
        settings.addAll(List.of(properties));
        List<String> command = new ArrayList<>();
        if (artifact.toString().endsWith(".jar")) {
            command.addAll(Lab.java());
            command.addAll(FLAGS);
            command.addAll(settings);
            command.addAll(List.of("-jar", artifact.toString()));
        } else {
            command.add(artifact.toString());
            command.addAll(settings);
        }
        Map<String, String> environment = Map.of(
                "DATABASE_URL",
                databaseUrl,
                "JWT_KEYS",
                keys.publicFile().toUri().toString(),
                "JWT_ISSUER",
                DevKeys.ISSUER,
                "JWT_AUDIENCE",
                DevKeys.AUDIENCE);
        PackagedService service = new PackagedService(
                WatchedProcess.start("TERM", log.toFile(), Lab.FOLDER.toFile(), environment, List.of(), command), port);
        try {
            awaitAnswer(service.process, service.url("/q/health/ready"));
        } catch (IllegalStateException e) {
            service.close();
            throw new IllegalStateException("the service did not start, see " + log, e);
        }
        return service;
    }

    /** Waits until a GET of the URL is answered with 200. */
    static void awaitAnswer(WatchedProcess process, String url) throws IOException {
        Instant deadline = Instant.now().plus(START_TIMEOUT);
        try (HttpClient http = HttpClient.newHttpClient()) {
            while (process.isAlive() && Instant.now().isBefore(deadline)) {
                try {
                    HttpRequest request =
                            HttpRequest.newBuilder(URI.create(url)).build();
                    if (http.send(request, HttpResponse.BodyHandlers.discarding())
                                    .statusCode()
                            == 200) {
                        return;
                    }
                } catch (IOException e) {
                    // it does not listen yet
                }
                Thread.sleep(100);
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        throw new IllegalStateException(url + " does not answer");
    }

    String url(String path) {
        return "http://127.0.0.1:" + port + path;
    }

    long pid() {
        return process.handle().pid();
    }

    @Override
    public void close() {
        process.close();
    }
}
