package ai.buildscale.agents.dev;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;

/**
 * A real Postgres (zonky's binaries) in a folder, on a free loopback port, for development and tests. It ends with the
 * process that started it, even if that is killed: a shell holds the other end of its standard input. Postgres refuses
 * to run as root, so root runs it as {@code nobody}.
 */
public final class EmbeddedPostgres implements AutoCloseable {
    private static final int NOBODY = 65534;
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    private static final String USER = "postgres";

    private final Path home;
    private final String password;
    private final List<String> settings;
    private WatchedProcess process;
    private int port;

    private EmbeddedPostgres(Path home, String password, List<String> settings) {
        this.home = home;
        this.password = password;
        this.settings = settings;
    }

    /**
     * Starts Postgres on the data in the folder, or joins one that runs there already.
     *
     * @param folder made if it is not there; as root, one that {@code nobody} cannot reach is replaced by one under
     *     {@code /var/lib/agent-sessions}
     * @param settings server settings, as {@code fsync=off}
     */
    public static EmbeddedPostgres start(Path folder, String... settings) {
        try {
            Path home = reachable(folder.toAbsolutePath().normalize());
            Files.createDirectories(home);
            EmbeddedPostgres postgres = new EmbeddedPostgres(home, password(home), List.of(settings));
            if (!postgres.join()) {
                postgres.install();
                postgres.initialise();
                postgres.launch();
            }
            return postgres;
        } catch (IOException e) {
            throw new UncheckedIOException("embedded Postgres in " + folder + " did not start", e);
        }
    }

    /** The address of a database, with user and password, as {@code DATABASE_URL} has it. */
    public String url(String database) {
        return "postgresql://" + USER + ":" + password + "@127.0.0.1:" + port + "/" + database;
    }

    /** The address of an empty database; one that has the name already is dropped first. */
    public String newDatabase(String name) {
        try (Connection connection = DriverManager.getConnection(
                        "jdbc:postgresql://127.0.0.1:" + port + "/postgres", USER, password);
                Statement statement = connection.createStatement()) {
            statement.execute("drop database if exists " + name + " with (force)");
            statement.execute("create database " + name);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        return url(name);
    }

    public int port() {
        return port;
    }

    public Path home() {
        return home;
    }

    /** Ends every process of the server at once, as a power failure would; {@link #restart} brings it back. */
    public void crash() throws IOException, InterruptedException {
        long postmaster =
                Long.parseLong(Files.readAllLines(pidFile()).getFirst().strip());
        List<ProcessHandle> all = new ArrayList<>();
        ProcessHandle.of(postmaster).ifPresent(postgres -> {
            all.add(postgres);
            postgres.descendants().forEach(all::add);
        });
        all.forEach(ProcessHandle::destroyForcibly);
        all.forEach(one -> one.onExit().join());
        Files.deleteIfExists(pidFile());
    }

    /** Starts it again on the same port. */
    public void restart() throws IOException {
        launch();
    }

    @Override
    public void close() {
        if (process != null) {
            process.close();
        }
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private static Path reachable(Path folder) throws IOException {
        if (!isRoot()) {
            return folder;
        }
        for (Path parent = folder.getParent(); parent != null; parent = parent.getParent()) {
            if (Files.exists(parent)
                    && !PosixFilePermissions.toString(Files.getPosixFilePermissions(parent))
                            .endsWith("x")) {
                String name = Integer.toHexString(folder.toString().hashCode());
                return Path.of("/var/lib/agent-sessions", name);
            }
        }
        return folder;
    }

    private static String password(Path home) throws IOException {
        Path file = home.resolve("password");
        if (!Files.exists(file)) {
            byte[] random = new byte[16];
            new SecureRandom().nextBytes(random);
            Files.writeString(file, HexFormat.of().formatHex(random));
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        }
        own(file);
        own(home);
        return Files.readString(file).strip();
    }

    private static void own(Path path) throws IOException {
        if (isRoot()) {
            Files.setAttribute(path, "unix:uid", NOBODY);
            Files.setAttribute(path, "unix:gid", NOBODY);
        }
    }

    private Path data() {
        return home.resolve("data");
    }

    private Path pidFile() {
        return data().resolve("postmaster.pid");
    }

    private Path program(String name) {
        return home.resolve("postgres/bin").resolve(name);
    }

    /** Whether a running server was found: its pid file names a living process, its port, and says that it is ready. */
    private boolean join() throws IOException {
        if (!Files.exists(pidFile())) {
            return false;
        }
        List<String> lines = Files.readAllLines(pidFile());
        if (isPostgres(lines.getFirst().strip())
                && lines.size() > 7
                && lines.get(7).strip().equals("ready")) {
            port = Integer.parseInt(lines.get(3).strip());
            return true;
        }
        return false;
    }

    /** By its name: which program another user's process runs may not be asked in a container. */
    private static boolean isPostgres(String pid) throws IOException {
        Path name = Path.of("/proc", pid, "comm");
        return Files.exists(name) && Files.readString(name).startsWith("postgres");
    }

    private void install() throws IOException {
        Path installed = home.resolve("postgres");
        if (Files.exists(program("postgres"))) {
            return;
        }
        Path unpacked = home.resolve("postgres.unpacking");
        deleteAll(unpacked);
        try (InputStream archive = EmbeddedPostgres.class.getResourceAsStream("/" + archive());
                TarArchiveInputStream tar =
                        new TarArchiveInputStream(new XZCompressorInputStream(new BufferedInputStream(archive)))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                unpack(tar, entry, unpacked.resolve(entry.getName()).normalize());
            }
        }
        Files.move(unpacked, installed);
    }

    private static String archive() {
        String machine = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        return switch (machine) {
            case "amd64", "x86_64" -> "postgres-linux-x86_64.txz";
            case "aarch64", "arm64" -> "postgres-linux-arm_64.txz";
            default -> throw new IllegalStateException("no Postgres is bundled for " + machine + "; set DATABASE_URL");
        };
    }

    private static void unpack(TarArchiveInputStream tar, TarArchiveEntry entry, Path target) throws IOException {
        if (entry.isDirectory()) {
            folders(target);
        } else if (entry.isSymbolicLink()) {
            folders(target.getParent());
            Files.createSymbolicLink(target, Path.of(entry.getLinkName()));
        } else {
            folders(target.getParent());
            Files.copy(tar, target);
            boolean runs = (entry.getMode() & 0100) != 0;
            Files.setPosixFilePermissions(target, PosixFilePermissions.fromString(runs ? "rwxr-xr-x" : "rw-r--r--"));
        }
    }

    /** Such as every user may enter, whatever the umask is. */
    private static void folders(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            folders(folder.getParent());
            Files.createDirectory(folder);
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    private static void deleteAll(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> paths = Files.walk(folder)) {
                for (Path path :
                        paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
        }
    }

    private void initialise() throws IOException {
        if (Files.exists(data().resolve("PG_VERSION"))) {
            return;
        }
        Path log = home.resolve("initdb.log");
        List<String> command = new ArrayList<>(asNobody());
        command.addAll(List.of(
                program("initdb").toString(),
                "--pgdata=" + data(),
                "--username=" + USER,
                "--pwfile=" + home.resolve("password"),
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync"));
        Process initdb = new ProcessBuilder(command)
                .directory(home.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            if (initdb.waitFor() != 0) {
                throw new IOException("initdb failed:\n" + Files.readString(log));
            }
        } catch (InterruptedException e) {
            initdb.destroyForcibly();
            throw new IOException(e);
        }
    }

    private void launch() throws IOException {
        if (port == 0) {
            try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                port = free.getLocalPort();
            }
        }
        List<String> command = new ArrayList<>(List.of(
                program("postgres").toString(),
                "-D",
                data().toString(),
                "-p",
                Integer.toString(port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=300"));
        settings.forEach(setting -> command.addAll(List.of("-c", setting)));
        Path log = home.resolve("postgres.log");
        Files.deleteIfExists(log);
        process = WatchedProcess.start("INT", log.toFile(), home.toFile(), Map.of(), asNobody(), command);
        Instant deadline = Instant.now().plus(START_TIMEOUT);
        while (!join()) {
            if (!process.isAlive() || Instant.now().isAfter(deadline)) {
                close();
                throw new IOException("it said:\n" + Files.readString(home.resolve("postgres.log")));
            }
            try {
                TimeUnit.MILLISECONDS.sleep(20);
            } catch (InterruptedException e) {
                close();
                throw new IOException(e);
            }
        }
    }

    private static List<String> asNobody() {
        return isRoot() ? List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups") : List.of();
    }
}
