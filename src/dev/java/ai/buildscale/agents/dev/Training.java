package ai.buildscale.agents.dev;

import java.io.IOException;
import java.io.PrintStream;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes the JVM's cache for a packaged jar, {@code app.aot} beside it: the service runs on an embedded Postgres, does its
 * main job and a day's traffic in small, and is told to stop; the JVM then writes down which classes it needed, already
 * linked, and which methods were hot. Then the service is started with the cache, and must have taken it.
 */
@SuppressWarnings("SystemOut")
public final class Training {
    private static final int ROUNDS = 100;
    private static final List<String> UNLIMITED = List.of("-Dlimits.requests-per-second=0");

    private final Path jar;
    private final Path cache;
    private final Path folder;
    private final DevKeys keys;

    private Training(Path jar, Path folder) {
        this.jar = jar;
        this.cache = jar.resolveSibling("app.aot");
        this.folder = folder;
        this.keys = new DevKeys(folder);
    }

    /** @param arguments the jar */
    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createDirectories(Path.of("target/training").toAbsolutePath());
        Training training = new Training(Path.of(arguments[0]).toAbsolutePath(), folder);
        try (EmbeddedPostgres postgres = EmbeddedPostgres.start(folder.resolve("postgres-18"), "fsync=off")) {
            String database = postgres.newDatabase("training");
            training.learn(database);
            training.check(database);
        }
        System.exit(0);
    }

    private void learn(String database) throws Exception {
        Files.deleteIfExists(cache);
        // a small heap: its pointers are compressed, as in a pod, however much memory this machine has
        try (Artefact service = start(database, List.of("-Xmx1g", "-XX:AOTCacheOutput=" + cache));
                PrintStream log = new PrintStream(folder.resolve("demo.log").toFile(), StandardCharsets.UTF_8)) {
            new Demo(service.url(), keys.token(), log).run();
            for (HttpClient.Version version : HttpClient.Version.values()) {
                new Traffic(version, service.url(), keys.token()).flow(ROUNDS);
            }
            service.end();
        }
        if (!Files.exists(cache)) {
            throw new IllegalStateException("the JVM has written no cache, see " + folder.resolve("service.log"));
        }
    }

    /** A JVM that must use a cache ends if it cannot: as it starts here, and as in a pod. */
    private void check(String database) throws IOException, InterruptedException {
        List<String> used = List.of("-XX:AOTCache=" + cache, "-XX:AOTMode=on");
        start(database, used).close();
        start(database, Artefact.inPod(used)).close();
        System.out.println(cache + ": " + Files.size(cache) / (1024 * 1024) + " MB, good for Java "
                + System.getProperty("java.runtime.version") + " and these jars as they are");
    }

    private Artefact start(String database, List<String> flags) throws IOException, InterruptedException {
        List<String> settings = new ArrayList<>(Demo.SHORT_THRESHOLDS);
        settings.addAll(UNLIMITED);
        return Artefact.start(jar, folder, keys, database, flags, settings);
    }
}
