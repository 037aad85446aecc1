package ai.buildscale.agents.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A program that makes load or is compared with, from the distribution but for one; never installed from here. */
enum Peer {
    WRK("wrk", "wrk"),
    PGBENCH("pgbench", "postgresql-contrib"),
    NGINX("nginx", "nginx libnginx-mod-nchan"),
    /** From npm: these belong together (what npm calls the latest is older, and does not fit its own libraries). */
    LANGGRAPH("langgraphjs", "@langchain/langgraph-cli@1.5.1 @langchain/langgraph@1.7.3 @langchain/core@1.4.0");

    static final Path NCHAN = Path.of("/usr/lib/nginx/modules/ngx_nchan_module.so");

    private final String program;
    private final String packages;

    Peer(String program, String packages) {
        this.program = program;
        this.packages = packages;
    }

    String program() {
        return program;
    }

    boolean isFromDebian() {
        return this != LANGGRAPH;
    }

    /** What is missing, and what installs it. */
    static String missing(Collection<Peer> peers) {
        List<String> commands = new ArrayList<>();
        String debian = packages(peers, true);
        if (!debian.isEmpty()) {
            commands.add("On Debian: apt-get install " + debian);
        }
        String npm = packages(peers, false);
        if (!npm.isEmpty()) {
            commands.add("With Node 20 or newer: npm install --prefix target/bench/langgraph " + npm);
        }
        return peers.stream().map(Peer::program).collect(Collectors.joining(", ")) + ". " + String.join(". ", commands);
    }

    private static String packages(Collection<Peer> peers, boolean debian) {
        return peers.stream()
                .filter(peer -> peer.isFromDebian() == debian)
                .map(peer -> peer.packages)
                .collect(Collectors.joining(" "));
    }

    boolean isThere() {
        return find().isPresent() && (this != NGINX || Files.exists(NCHAN));
    }

    Path path() {
        return find().orElseThrow();
    }

    private Optional<Path> find() {
        if (this == LANGGRAPH) {
            return Optional.of(
                            LangGraphServer.FOLDER.resolve("node_modules/.bin").resolve(program))
                    .filter(Files::isExecutable);
        }
        List<Path> folders = new ArrayList<>();
        for (String folder :
                Objects.requireNonNullElse(System.getenv("PATH"), "").split(":", -1)) {
            folders.add(Path.of(folder));
        }
        folders.add(Path.of("/usr/sbin"));
        try (Stream<Path> versions = Files.exists(Path.of("/usr/lib/postgresql"))
                ? Files.list(Path.of("/usr/lib/postgresql"))
                : Stream.empty()) {
            versions.map(version -> version.resolve("bin")).forEach(folders::add);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return folders.stream()
                .map(folder -> folder.resolve(program))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /**
     * Requests a second that wrk gets through with the script.
     *
     * @throws IllegalStateException if any was refused or lost
     */
    static double wrk(Path script, int connections, int seconds, String url) {
        String said = run(
                Map.of(),
                List.of(
                        WRK.path().toString(),
                        "--threads=1",
                        "--connections=" + connections,
                        "--duration=" + seconds + "s",
                        "--timeout=10s",
                        "--script=" + script,
                        url));
        if (said.contains("Non-2xx") || said.contains("Socket errors")) {
            throw new IllegalStateException("wrk met errors:\n" + said);
        }
        return number("Requests/sec:\\s+([0-9.]+)", said);
    }

    /** Transactions a second that pgbench gets through with the script, prepared. */
    static double pgbench(
            String url, Path script, int clients, int seconds, Map<String, ?> variables, String... settings) {
        List<String> command = new ArrayList<>(List.of(
                PGBENCH.path().toString(),
                "--no-vacuum",
                "--protocol=prepared",
                "--client=" + clients,
                "--jobs=" + Math.min(clients, Runtime.getRuntime().availableProcessors()),
                "--time=" + seconds,
                "--file=" + script));
        variables.forEach((name, value) -> command.add("--define=" + name + "=" + value));
        command.add(url);
        List<String> options =
                Stream.of(settings).map(setting -> "-c " + setting).toList();
        String said = run(Map.of("PGOPTIONS", String.join(" ", options)), command);
        if (!said.contains("number of failed transactions: 0 ")) {
            throw new IllegalStateException("pgbench met errors:\n" + said);
        }
        return number("tps = ([0-9.]+)", said);
    }

    private static double number(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        if (!matcher.find()) {
            throw new IllegalStateException("no figure in:\n" + text);
        }
        return Double.parseDouble(matcher.group(1));
    }

    /** What the program says. */
    static String run(Map<String, String> environment, List<String> command) {
        try {
            ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
            builder.environment().putAll(environment);
            Process process = builder.start();
            process.getOutputStream().close();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IllegalStateException(command.getFirst() + " failed:\n" + said);
            }
            return said;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
