package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.EmbeddedPostgres;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import io.fabric8.kubernetes.api.model.EnvVar;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The variables with which production trusts its database, against a Postgres with a certificate. */
class DatabaseTlsIT {
    private static final char[] PASSWORD = "changeit".toCharArray();
    private static final String TLS_ONLY = "?sslmode=verify-full";

    private static EmbeddedPostgres postgres;
    private static Path certificate;

    @TempDir
    private static Path folder;

    @BeforeAll
    static void postgresWithACertificate() throws IOException, InterruptedException, GeneralSecurityException {
        KeyStore keys = keys("postgres");
        certificate =
                pem("server.crt", "CERTIFICATE", keys.getCertificate("postgres").getEncoded());
        Path key = pem(
                "server.key", "PRIVATE KEY", keys.getKey("postgres", PASSWORD).getEncoded());
        postgres = Postgres.newServer("it-postgres-tls", "fsync=off");
        give(certificate);
        give(key);
        String url = postgres.url("postgres");
        Postgres.execute(url, "alter system set ssl_cert_file = 'server.crt'");
        Postgres.execute(url, "alter system set ssl_key_file = 'server.key'");
        Postgres.execute(url, "alter system set ssl = on");
        Postgres.execute(url, "select pg_reload_conf()");
    }

    private static KeyStore keys(String name) throws IOException, InterruptedException, GeneralSecurityException {
        Path file = folder.resolve(name + ".p12");
        List<String> keytool = List.of(
                Path.of(System.getProperty("java.home"), "bin/keytool").toString(),
                "-genkeypair",
                "-alias",
                name,
                "-keyalg",
                "RSA",
                "-dname",
                "CN=" + name,
                "-ext",
                "san=dns:localhost",
                "-storetype",
                "PKCS12",
                "-keystore",
                file.toString(),
                "-storepass",
                new String(PASSWORD));
        assertThat(new ProcessBuilder(keytool).start().waitFor()).isZero();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            keys.load(in, PASSWORD);
        }
        return keys;
    }

    private static Path pem(String name, String kind, byte[] der) throws IOException {
        return Files.writeString(
                folder.resolve(name),
                "-----BEGIN " + kind + "-----\n"
                        + Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                                .encodeToString(der)
                        + "\n-----END " + kind + "-----\n");
    }

    /** Into the data of Postgres, as its own. */
    private static void give(Path file) throws IOException {
        Path data = postgres.home().resolve("data");
        Path copy = Files.copy(file, data.resolve(file.getFileName()));
        Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rw-------"));
        if (!Files.getAttribute(copy, "unix:uid").equals(Files.getAttribute(data, "unix:uid"))) {
            Files.setAttribute(copy, "unix:uid", Files.getAttribute(data, "unix:uid"));
        }
    }

    /** As the overlay has them, but for the place of the certificate. */
    private static Map<String, String> variables(Path trusted) {
        Map<String, String> variables = new HashMap<>();
        for (EnvVar variable : Manifests.in(Path.of("deploy/overlays/production/deployment.yaml"))
                .server()
                .getEnv()) {
            if (variable.getName().startsWith("QUARKUS_DATASOURCE_")) {
                variables.put(
                        variable.getName(),
                        variable.getValue().endsWith("ca.crt") ? trusted.toString() : variable.getValue());
            }
        }
        assertThat(variables).hasSize(4);
        return variables;
    }

    private static String url(String host) {
        return Postgres.newDatabase(postgres).replace("127.0.0.1", host) + TLS_ONLY;
    }

    @Test
    void everyConnectionIsEncrypted() {
        try (Service service = Service.start(url("localhost"), variables(certificate))) {
            Api.user(service).newWorkspace();

            assertThat(Postgres.query(
                            postgres.url("postgres"),
                            "select ssl from pg_stat_ssl join pg_stat_activity using (pid)"
                                    + " where application_name = 'agent-sessions'"))
                    .isNotEmpty()
                    .allMatch(row -> row.get("ssl").equals(true));
        }
    }

    @Test
    void aDatabaseOfAnotherNameIsNotTrusted() {
        try (Service service = Service.launch(url("127.0.0.1"), variables(certificate))) {
            neverStarts(service);
        }
    }

    @Test
    void aDatabaseWithAnotherCertificateIsNotTrusted()
            throws IOException, InterruptedException, GeneralSecurityException {
        Path other = pem(
                "other.crt",
                "CERTIFICATE",
                keys("other").getCertificate("other").getEncoded());
        try (Service service = Service.launch(url("localhost"), variables(other))) {
            neverStarts(service);
        }
    }

    private static void neverStarts(Service service) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(60))
                .until(() -> service.log().contains("the schema is not up to date"));
        assertThat(service.statusOf(ServerProbes.ofTheBase().startup())).isEqualTo(503);
        assertThat(service.statusOf(ServerProbes.ofTheBase().liveness())).isEqualTo(200);
    }
}
