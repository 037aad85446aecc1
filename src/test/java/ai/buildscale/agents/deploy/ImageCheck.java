package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.Demo;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Tokens;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.fabric8.kubernetes.api.model.Capabilities;
import io.fabric8.kubernetes.api.model.PodSecurityContext;
import io.fabric8.kubernetes.api.model.SecurityContext;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the image of Dockerfile.native is to do in a pod of {@code deploy/}, without a container engine and in less memory:
 * {@code make image-check} runs it on the executable.
 */
@SuppressWarnings("SystemOut")
class ImageCheck {
    /** A third of what deploy/ gives a server, which is meant to have 17,000 streams open. */
    private static final long MEMORY = 256L << 20;
    /** With these the demo sees a silent session swept within seconds, not minutes. */
    private static final Map<String, String> SHORT_THRESHOLDS = Map.of(
            "SESSIONS_HEARTBEAT_INTERVAL", "2S", "SESSIONS_STALE_THRESHOLD", "6S", "SESSIONS_SWEEP_INTERVAL", "1S");

    @TempDir
    private static Path folder;

    private static LocalPod pod;
    private static ImageTree tree;
    private static Path keys;
    private static Jail jail;

    @BeforeAll
    static void startsAsItsFirstProcess() throws IOException, InterruptedException {
        pod = new LocalPod();
        assertThat(pod.limit("memory")).isGreaterThan(MEMORY);
        tree = ImageTree.build(folder.resolve("tree"), pod.readOnlyMounts());
        keys = Files.createDirectory(folder.resolve("keys"));
        Files.copy(Tokens.keys().publicFile(), keys.resolve("jwt.pub.pem"));
        jail = start();
        assertThat(jail.status("NSpid")).endsWith("\t1");
    }

    @AfterAll
    static void stop() throws IOException {
        if (jail != null) {
            jail.close();
        }
    }

    /** Its probes pass, which the startup probe leaves more time for than the minute here. */
    private static Jail start() throws IOException, InterruptedException {
        Map<String, String> database = Map.of("agent-sessions-database/url", Postgres.newDatabase());
        Instant begin = Instant.now();
        Jail started = Jail.start(tree, pod, keys, MEMORY, database, SHORT_THRESHOLDS);
        try (Probing startup = Probing.start(pod.server().getStartupProbe(), started.port())) {
            started.awaitStart();
            started.await(() -> Probing.passes(pod.server().getReadinessProbe(), started.port()));
            System.out.println("It was ready %d ms after the start"
                    .formatted(Duration.between(begin, Instant.now()).toMillis()));
            started.await(() -> startup.passed() > 0);
            assertThat(startup.hasFailed()).isFalse();
        }
        return started;
    }

    @Test
    void theDemoPassesWhileTheProbesDo() throws IOException, InterruptedException {
        Path log = folder.resolve("demo.log");
        try (Probing liveness = Probing.start(pod.server().getLivenessProbe(), jail.port());
                Probing readiness = Probing.start(pod.server().getReadinessProbe(), jail.port())) {
            ProcessBuilder demo = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin/java").toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            Demo.class.getName(),
                            jail.url())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile());
            demo.environment().put("TOKEN", Tokens.of(UUID.randomUUID()));
            Process running = demo.start();
            boolean ended = running.waitFor(2, TimeUnit.MINUTES);
            running.destroyForcibly();
            assertThat(ended && running.exitValue() == 0)
                    .as(() -> Yaml.text(log))
                    .isTrue();

            assertThat(liveness.passed()).isPositive();
            assertThat(liveness.hasFailed()).isFalse();
            assertThat(readiness.passed()).isGreaterThan(1);
            assertThat(readiness.hasFailed()).isFalse();
        }
        if (jail.cgroup().isPresent()) {
            assertThat(jail.cgroup().get().killed()).isZero();
        }
        assertThat(jail.peak()).isLessThan(MEMORY);
        System.out.println("The demo passed in %d MB, %s: the most that was resident is %d MB"
                .formatted(
                        MEMORY >> 20,
                        jail.cgroup().isPresent()
                                ? "to which a cgroup held the server"
                                : "to which nothing but itself held the server (no cgroup v2 may be made here)",
                        jail.peak() >> 20));
    }

    @Test
    void nothingCanBeWrittenButItsTmp() throws IOException {
        Map<String, String> writable = new TreeMap<>();
        for (String line : Files.readAllLines(jail.about("mountinfo"))) {
            String[] words = line.split(" ", -1);
            if (!List.of(words[5].split(",", -1)).contains("ro")) {
                writable.put(words[4], line);
            }
        }
        assertThat(writable)
                .containsOnlyKeys(
                        "/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero", "/proc", "/tmp");
        assertThat(writable.get("/tmp")).contains(" - tmpfs ").contains("size=" + (pod.tmp() >> 10) + "k");
    }

    @Test
    void nothingOfTheMachineIsOpenOrInSight() throws IOException {
        try (Stream<Path> open = Files.list(jail.about("fd"))) {
            assertThat(open.filter(file -> Integer.parseInt(file.getFileName().toString()) > 2))
                    .isNotEmpty()
                    .allSatisfy(file -> assertThat(Files.readSymbolicLink(file).toString())
                            .matches("(socket|pipe|anon_inode):.*|/dev/u?random|/(app|tmp|proc)/.*"));
        }
        try (Stream<Path> top = Files.list(jail.about("root"))) {
            assertThat(top.map(path -> path.getFileName().toString()))
                    .contains("app", "tmp")
                    .doesNotContain("bin", "home", "root", "usr", "var");
        }
        assertThat(tree.files())
                .contains("/app/agent-sessions", "/app/sbom.json", "/app/licences.txt", "/etc/hosts")
                .allMatch(file -> file.startsWith("/app/") || file.startsWith("/etc/") || file.startsWith("/lib"));
    }

    @Test
    void itIsTheUserOfTheImageWithoutAnyRight() throws IOException {
        PodSecurityContext security = pod.spec().getSecurityContext();
        SecurityContext more = pod.server().getSecurityContext();
        long user = security.getRunAsUser();
        assertThat(Dockerfile.of("Dockerfile.native").run().last("USER")).isEqualTo(Long.toString(user));
        assertThat(more.getReadOnlyRootFilesystem()).isTrue();

        // an ordinary user's server is that user outside, and 1001 where it is
        if (jail.status("Uid").startsWith(user + "\t")) {
            assertThat(jail.status("Uid").split("\t", -1)).containsOnly(Long.toString(user));
            assertThat(jail.status("Gid").split("\t", -1)).containsOnly(Long.toString(security.getRunAsGroup()));
            assertThat(jail.status("Groups")).isEmpty();
        } else {
            assertThat(Files.readString(jail.about("uid_map")).strip()).matches(user + " +[0-9]+ +1");
            assertThat(Files.readString(jail.about("gid_map")).strip())
                    .matches(security.getRunAsGroup() + " +[0-9]+ +1");
        }
        assertThat(more.getCapabilities()).isEqualTo(new Capabilities(List.of(), List.of("ALL")));
        for (String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
            assertThat(jail.status(set)).as(set).matches("0+");
        }
        assertThat(more.getAllowPrivilegeEscalation()).isFalse();
        assertThat(jail.status("NoNewPrivs")).isEqualTo("1");
    }

    @Test
    void itStopsWithinItsGracePeriod() throws Exception {
        Duration grace = Duration.ofSeconds(pod.spec().getTerminationGracePeriodSeconds()
                - pod.server().getLifecycle().getPreStop().getSleep().getSeconds());
        try (Jail other = start()) {
            Instant begin = Instant.now();
            assertThat(other.stop(grace)).as(other.log()).isIn(0, 143);
            System.out.println(
                    "It stopped in " + Duration.between(begin, Instant.now()).toMillis() + " ms");
        }
    }

    /** That of an issuer nobody vouches for: with no authorities at all it would say that there must be some. */
    @Test
    void itKnowsWhichCertificatesToTrust() throws Exception {
        HttpsServer issuer = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        issuer.setHttpsConfigurator(new HttpsConfigurator(certificateOfItsOwn()));
        issuer.start();
        Map<String, String> secrets = Map.of(
                "agent-sessions-database/url",
                Postgres.newDatabase(),
                "agent-sessions-jwt/keys",
                "https://localhost:" + issuer.getAddress().getPort() + "/jwks");
        try (Jail other = Jail.start(tree, pod, keys, MEMORY, secrets, SHORT_THRESHOLDS)) {
            other.await(() -> other.log().contains("the keys of JWT_KEYS do not come"));

            assertThat(other.log()).contains("unable to find valid certification path");
        } finally {
            issuer.stop(0);
        }
    }

    private static SSLContext certificateOfItsOwn() throws IOException, InterruptedException, GeneralSecurityException {
        Path file = folder.resolve("issuer.p12");
        String password = "changeit";
        String command = Path.of(System.getProperty("java.home"), "bin/keytool")
                + " -genkeypair -alias issuer -keyalg RSA -dname CN=localhost -ext san=dns:localhost -storetype PKCS12"
                + " -keystore " + file + " -storepass " + password;
        assertThat(new ProcessBuilder(command.split(" ", -1))
                        .redirectErrorStream(true)
                        .redirectOutput(folder.resolve("keytool.log").toFile())
                        .start()
                        .waitFor())
                .isZero();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            store.load(in, password.toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(store, password.toCharArray());
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(managers.getKeyManagers(), null, null);
        return tls;
    }
}
