package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.Artefact;
import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.dev.WatchedProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * From the start of the process to the first answer that read the database (a session by id, with a JWT), on a database
 * that has its schema; and the memory that is resident after ten idle seconds: the native executable (where it was built),
 * the jar with its trained cache and without, and bare Vert.x with a cache of its own; and the same of an earlier build, in
 * turns with this one, if {@code bench.before} names its {@code target}. All may use the same heap, of a pod's memory.
 */
final class StartRow implements Bench.Row {
    private static final Path TARGET = Path.of("target").toAbsolutePath();
    /** The earlier build's. */
    private static final String BEFORE = System.getProperty("bench.before", "");

    private static final Path BARE_CACHE = Lab.FOLDER.resolve("bare.aot");
    /** The heap that a JVM has in a pod, for the executable. */
    private static final String HEAP = "-Xmx460m";

    private static final String EARLIER = ", earlier build";
    private static final int IDLE_SECONDS = 10;
    private static final int TRAINING_REQUESTS = 2_000;
    private static final String PATH = "/api/v1/agent-sessions/" + Lab.SESSION + Lab.FIRST;

    /** What is started, and what has been measured of it so far. */
    private record Side(
            String name, List<String> command, String reach, String memoryReach, List<Double> millis, List<Double> mb) {
        Side(String name, List<String> command, String reach, String memoryReach) {
            this(name, command, reach, memoryReach, new ArrayList<>(), new ArrayList<>());
        }
    }

    private int port;
    private Map<String, String> environment;
    private String token;

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_start");
        lab.service(database).close();
        Lab.fill(database, 1, 100, "external", "idle");
        DevKeys keys = lab.keys();
        port = Lab.freePort();
        token = lab.token();
        environment = Map.of(
                "DATABASE_URL",
                database,
                "JWT_KEYS",
                keys.publicFile().toUri().toString(),
                "JWT_ISSUER",
                DevKeys.ISSUER,
                "JWT_AUDIENCE",
                DevKeys.AUDIENCE);
        List<Side> sides = sides(database);
        for (int round = 0; round <= Rounds.COUNT; round++) {
            for (Side side : sides) {
                measure(side, round > 0);
            }
        }
        for (Side side : sides) {
            sides.stream()
                    .filter(earlier -> earlier.name().equals(side.name() + EARLIER))
                    .forEach(earlier -> report.line(
                            side.name() + ": start, against the earlier build",
                            Spread.of(side.millis()).in("%.0f", "ms"),
                            Spread.of(earlier.millis()).in("%.0f", "ms"),
                            String.format(
                                    Locale.ROOT,
                                    "%.2f ×",
                                    Spread.of(side.millis()).median()
                                            / Spread.of(earlier.millis()).median()),
                            "≤ 1.10 ×"));
            report.figure(
                    side.name() + ": start → first answer that read the database",
                    Spread.of(side.millis()).in("%.0f", "ms"),
                    side.reach());
            report.figure(
                    side.name() + ": resident after " + IDLE_SECONDS + " idle seconds",
                    Spread.of(side.mb()).in("%.0f", "MB"),
                    side.memoryReach());
        }
    }

    private List<Side> sides(String database) throws Exception {
        List<Side> sides = builds(TARGET, "");
        if (!BEFORE.isEmpty()) {
            sides.addAll(builds(Path.of(BEFORE).toAbsolutePath(), EARLIER));
        }
        List<String> trained = List.of("-XX:AOTCache=" + trained(database), "-XX:AOTMode=on");
        sides.add(new Side("bare Vert.x, its own cache", bare(Artefact.inPod(trained), database), "", ""));
        return sides;
    }

    /** The service as a build has left it: native, with its cache, without. */
    private List<Side> builds(Path target, String which) throws IOException {
        List<Side> sides = new ArrayList<>();
        Path executable = executable(target);
        if (executable == null) {
            System.out.println("    no native executable in " + target + ": make native builds one");
        } else {
            sides.add(new Side("native" + which, service(List.of(executable.toString(), HEAP)), "≤ 150 ms", "≤ 80 MB"));
        }
        String jar = target.resolve("quarkus-app/quarkus-run.jar").toString();
        Path cache = target.resolve("quarkus-app/app.aot");
        if (!Files.exists(cache)) {
            throw new IllegalStateException(cache + " is missing: make package makes it");
        }
        sides.add(new Side(
                "JVM, trained cache" + which,
                service(java(Artefact.inPod(List.of("-XX:AOTCache=" + cache, "-XX:AOTMode=on")), "-jar", jar)),
                "≤ 1,500 ms",
                "≤ 200 MB"));
        sides.add(new Side("JVM, no cache" + which, service(java(Artefact.inPod(List.of()), "-jar", jar)), "", ""));
        return sides;
    }

    private static Path executable(Path target) throws IOException {
        try (Stream<Path> files = Files.list(target)) {
            return files.filter(file -> file.toString().endsWith("-runner"))
                    .findFirst()
                    .orElse(null);
        }
    }

    /** The command, with the settings where a JVM wants them. */
    private List<String> service(List<String> command) {
        List<String> full = new ArrayList<>(command);
        int end = full.indexOf("-jar") < 0 ? full.size() : full.indexOf("-jar");
        full.addAll(end, List.of("-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port=" + port));
        return full;
    }

    private static List<String> java(List<String> flags, String... program) {
        List<String> command = Lab.java();
        command.addAll(flags);
        command.addAll(List.of(program));
        return command;
    }

    private List<String> bare(List<String> flags, String database) {
        return java(
                flags,
                "-cp",
                System.getProperty("java.class.path"),
                BareGet.class.getName(),
                Integer.toString(port),
                database,
                "16");
    }

    private Path trained(String database) throws Exception {
        Files.deleteIfExists(BARE_CACHE);
        try (WatchedProcess process = start(bare(List.of("-XX:AOTCacheOutput=" + BARE_CACHE), database))) {
            for (int i = 0; i < TRAINING_REQUESTS; i++) {
                awaitAnswer(process);
            }
            process.handle().destroy();
            process.waitFor();
        }
        return BARE_CACHE;
    }

    private void measure(Side side, boolean counts) throws Exception {
        long start = System.nanoTime();
        try (WatchedProcess process = start(side.command())) {
            awaitAnswer(process);
            double millis = (System.nanoTime() - start) / 1e6;
            TimeUnit.SECONDS.sleep(IDLE_SECONDS);
            double mb = residentKb(process.handle().pid()) / 1024.0;
            System.out.printf("    %s: %.0f ms, %.0f MB%n", side.name(), millis, mb);
            if (counts) {
                side.millis().add(millis);
                side.mb().add(mb);
            }
        }
    }

    private WatchedProcess start(List<String> command) throws IOException {
        return WatchedProcess.start(
                "TERM", Lab.log("start").toFile(), TARGET.getParent().toFile(), environment, List.of(), command);
    }

    private void awaitAnswer(WatchedProcess process) throws InterruptedException {
        while (!answers()) {
            if (!process.isAlive()) {
                throw new IllegalStateException("it has ended, see " + Lab.FOLDER.resolve("start.log"));
            }
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    private boolean answers() {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(5_000);
            socket.getOutputStream()
                    .write(("GET " + PATH
                                    + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
                                    + token + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            String status = new BufferedReader(
                            new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
                    .readLine();
            return status != null && status.contains(" 200 ");
        } catch (IOException e) {
            return false;
        }
    }

    private static long residentKb(long pid) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/" + pid + "/status"))) {
            return lines.filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                    .findFirst()
                    .orElseThrow();
        }
    }
}
