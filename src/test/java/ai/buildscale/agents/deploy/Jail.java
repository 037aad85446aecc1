package ai.buildscale.agents.deploy;

import ai.buildscale.agents.dev.WatchedProcess;
import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/**
 * The service as a container would have it, without a container engine: the last stage of Dockerfile.native in a pod of the local
 * overlay, by {@code .ci/jail}. The network is the machine's, so it listens on a free port of the loopback interface.
 */
final class Jail implements AutoCloseable {
    private static final Path SCRIPT = Path.of(".ci/jail").toAbsolutePath();

    private final WatchedProcess process;
    private final Optional<Cgroup> cgroup;
    private final Path log;
    private final int port;

    private Jail(WatchedProcess process, Optional<Cgroup> cgroup, Path log, int port) {
        this.process = process;
        this.cgroup = cgroup;
        this.log = log;
        this.port = port;
    }

    /**
     * Starts it, without waiting for anything.
     *
     * @param keys the folder that it finds where the overlay mounts one
     * @param memory the bytes that it is told to have, and is held to where a cgroup may be made
     * @param secrets by {@code name/key}, those that are not as the overlay makes them
     * @param settings more variables of its environment
     */
    static Jail start(
            ImageTree tree,
            LocalPod pod,
            Path keys,
            long memory,
            Map<String, String> secrets,
            Map<String, String> settings)
            throws IOException, InterruptedException {
        Dockerfile.Stage image = Dockerfile.of("Dockerfile.native").run();
        long cores = pod.limit("cpu");
        Optional<Cgroup> cgroup = Cgroup.create(memory, cores);
        int port = Service.freePort();
        List<String> command = new ArrayList<>(List.of(
                SCRIPT.toString(),
                "run",
                tree.root().toString(),
                image.last("WORKDIR"),
                pod.spec().getSecurityContext().getRunAsUser().toString(),
                pod.spec().getSecurityContext().getRunAsGroup().toString(),
                Long.toString(pod.tmp()),
                cgroup.map(group -> group.folder().toString()).orElse("-")));
        pod.readOnlyMounts().forEach(mount -> command.add(keys.toAbsolutePath() + ":" + mount));
        command.add("--");
        pod.environment(secrets).forEach((name, value) -> command.add(name + "=" + value));
        settings.forEach((name, value) -> command.add(name + "=" + value));
        command.addAll(
                List.of("HOSTNAME=" + LocalPod.NAME, "QUARKUS_HTTP_HOST=127.0.0.1", "QUARKUS_HTTP_PORT=" + port));
        command.add("--");
        command.addAll(image.entrypoint());
        // What it sees for itself in a container: without a cgroup there is nothing to see, and an executable of
        // native-toolchain does not look for one (its compiler comes without the library for that).
        command.addAll(List.of("-XX:MaxRAM=" + memory, "-XX:ActiveProcessorCount=" + cores));
        Path log = tree.root().resolveSibling("service-" + port + ".log");
        // what is killed here is unshare, on which signals have no effect; its end is the server's signal to stop
        WatchedProcess process =
                WatchedProcess.start("KILL", log.toFile(), log.getParent().toFile(), Map.of(), List.of(), command);
        return new Jail(process, cgroup, log, port);
    }

    int port() {
        return port;
    }

    String url() {
        return "http://127.0.0.1:" + port;
    }

    String log() {
        return Yaml.text(log);
    }

    Optional<Cgroup> cgroup() {
        return cgroup;
    }

    /** Waits until the program runs. */
    Jail awaitStart() {
        await(() ->
                server().filter(server -> command(server).startsWith("/app/")).isPresent());
        return this;
    }

    /** Waits for up to a minute, and fails with what it has said. */
    void await(Callable<Boolean> condition) {
        try {
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .pollInterval(Duration.ofMillis(10))
                    .until(() -> !process.isAlive() || condition.call());
        } catch (ConditionTimeoutException e) {
            throw new AssertionError("in vain:\n" + log(), e);
        }
        if (!process.isAlive()) {
            throw new AssertionError("it has ended:\n" + log());
        }
    }

    private static String command(ProcessHandle server) {
        return server.info().command().orElse("");
    }

    private Optional<ProcessHandle> server() {
        try (Stream<ProcessHandle> children = process.handle().children()) {
            return children.findFirst();
        } catch (IllegalStateException e) {
            return Optional.empty();
        }
    }

    /** A file that the kernel keeps about it, as {@code status}. */
    Path about(String name) {
        return Path.of("/proc", Long.toString(server().orElseThrow().pid()), name);
    }

    /** The words after this name in its status. */
    String status(String name) throws IOException {
        return Files.readAllLines(about("status")).stream()
                .filter(line -> line.startsWith(name + ":"))
                .map(line -> line.substring(name.length() + 1).strip())
                .findFirst()
                .orElseThrow();
    }

    /** The most memory that it has had, in bytes. */
    long peak() throws IOException {
        return Long.parseLong(status("VmHWM").replace(" kB", "")) * 1024;
    }

    /** Tells it to stop, and waits for as long as it may take; its exit code. */
    int stop(Duration grace) throws InterruptedException {
        server().orElseThrow().destroy();
        Awaitility.await().atMost(grace).until(() -> !process.isAlive());
        return process.waitFor();
    }

    @Override
    public void close() throws IOException {
        server().ifPresent(server -> {
            server.destroy();
            var _ = server.onExit()
                    .orTimeout(30, TimeUnit.SECONDS)
                    .exceptionally(_ -> null)
                    .join();
            server.destroyForcibly();
        });
        process.close();
        if (cgroup.isPresent()) {
            cgroup.get().close();
        }
    }
}
