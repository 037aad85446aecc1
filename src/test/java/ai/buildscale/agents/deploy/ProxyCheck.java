package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The nginx of Compose, as it is configured there, in front of servers of this machine. */
class ProxyCheck {
    @TempDir
    private Path folder;

    private static HttpServer server(int status, AtomicInteger requests) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        answer(server, "/", status, requests);
        server.start();
        return server;
    }

    private static void answer(HttpServer server, String path, int status, AtomicInteger requests) {
        server.createContext(path, exchange -> {
            requests.incrementAndGet();
            exchange.getRequestBody().readAllBytes();
            if (status > 0) {
                exchange.sendResponseHeaders(status, -1);
            }
            // without an answer: the connection is cut
            exchange.close();
        });
    }

    @Test
    void requestsGoPastAServerThatIsGone() throws IOException, InterruptedException {
        Service service = Service.shared();
        try (Nginx nginx = Nginx.start(folder, service.port(), Service.freePort(), Service.freePort())) {
            String token = Tokens.of(UUID.randomUUID());
            for (int i = 0; i < 10; i++) {
                assertThat(nginx.send("GET", "/api/v1/workspaces", token).statusCode())
                        .isEqualTo(200);
                assertThat(nginx.send("POST", "/api/v1/workspaces", token).statusCode())
                        .isEqualTo(201);
            }
        }
    }

    @Test
    void eventsComeThroughWhenTheyHappen() throws Exception {
        Service service = Service.shared();
        UUID user = UUID.randomUUID();
        String token = Tokens.of(user);
        Api owner = Api.withToken(service, user, token);
        String workspace = owner.newWorkspace();
        try (Nginx nginx = Nginx.start(folder, service.port(), service.port(), service.port())) {
            HttpResponse<InputStream> stream = Nginx.HTTP.send(
                    nginx.request("GET", "/api/v1/workspaces/" + workspace + "/events", token),
                    BodyHandlers.ofInputStream());
            assertThat(stream.statusCode()).isEqualTo(200);
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8))) {
                String session = owner.newSession(workspace).get("id").asText();
                CompletableFuture<String> seen = CompletableFuture.supplyAsync(() -> lines.lines()
                        .filter(line -> line.startsWith("data: ") && line.contains(session))
                        .findFirst()
                        .orElseThrow());
                assertThat(seen.get(5, TimeUnit.SECONDS)).contains(session);
            }
        }
    }

    @Test
    void whatMayNotBeRepeatedIsSentOnce() throws IOException, InterruptedException {
        AtomicInteger cut = new AtomicInteger();
        AtomicInteger answered = new AtomicInteger();
        HttpServer one = server(0, cut);
        HttpServer two = server(204, answered);
        try (Nginx nginx = Nginx.start(
                folder,
                one.getAddress().getPort(),
                two.getAddress().getPort(),
                two.getAddress().getPort())) {
            int sent = 0;
            int lost = 0;
            while (cut.get() == 0 && sent < 20) {
                sent++;
                lost += nginx.send("POST", "/api/v1/workspaces", null).statusCode() == 502 ? 1 : 0;
            }
            assertThat(cut).hasValue(1);
            assertThat(lost).isEqualTo(1);
            assertThat(answered).hasValue(sent - 1);

            // a GET is asked again of another, whoever is asked first
            Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> {
                assertThat(nginx.send("GET", "/api/v1/workspaces", null).statusCode())
                        .isEqualTo(204);
                return cut.get() > 1;
            });
        } finally {
            one.stop(0);
            two.stop(0);
        }
    }

    @Test
    void onlyTheApiGoesThrough() throws IOException, InterruptedException {
        int service = Service.shared().port();
        try (Nginx nginx = Nginx.start(folder, service, service, service)) {
            for (String path : List.of("/q/metrics", "/q/health", "/q/openapi", "/", "/api/../q/metrics")) {
                assertThat(nginx.send("GET", path, null).statusCode()).as(path).isEqualTo(404);
            }
            assertThat(nginx.send("GET", "/api/v1/workspaces", null).statusCode())
                    .isEqualTo(401);
        }
    }

    @Test
    void whatMayBeRepeatedIsAskedOfAServerThatIsReady() throws IOException, InterruptedException {
        AtomicInteger unready = new AtomicInteger();
        AtomicInteger answered = new AtomicInteger();
        HttpServer one = server(503, unready);
        HttpServer two = server(204, answered);
        try (Nginx nginx = Nginx.start(
                folder,
                one.getAddress().getPort(),
                two.getAddress().getPort(),
                two.getAddress().getPort())) {
            for (int i = 0; i < 12; i++) {
                assertThat(nginx.send("GET", "/api/v1/workspaces", null).statusCode())
                        .isEqualTo(204);
            }
            assertThat(unready).hasPositiveValue();
            int before = unready.get() + answered.get();
            for (int i = 0; i < 12; i++) {
                assertThat(nginx.send("POST", "/api/v1/workspaces", null).statusCode())
                        .isIn(204, 503);
            }
            assertThat(unready.get() + answered.get() - before)
                    .as("each of them was sent once")
                    .isEqualTo(12);
        } finally {
            one.stop(0);
            two.stop(0);
        }
    }

    /** As where one workspace asks for what no server has: that is no failure of the servers. */
    @Test
    void whatOneCallerIsRefusedByAllServersTakesNoneFromTheOthers() throws IOException, InterruptedException {
        AtomicInteger refused = new AtomicInteger();
        AtomicInteger answered = new AtomicInteger();
        List<HttpServer> servers = List.of(server(204, answered), server(204, answered), server(204, answered));
        for (HttpServer server : servers) {
            answer(server, "/api/v1/nowhere", 503, refused);
        }
        try (Nginx nginx = Nginx.start(
                folder,
                servers.stream()
                        .mapToInt(server -> server.getAddress().getPort())
                        .toArray())) {
            for (int i = 1; i <= 5; i++) {
                assertThat(nginx.send("GET", "/api/v1/nowhere", null).statusCode())
                        .isEqualTo(503);
                assertThat(refused).as("each server was asked").hasValue(3 * i);
                for (String method : List.of("GET", "POST", "DELETE")) {
                    assertThat(nginx.send(method, "/api/v1/workspaces", null).statusCode())
                            .as(method)
                            .isEqualTo(204);
                }
            }
            assertThat(answered).hasValue(15);
        } finally {
            servers.forEach(server -> server.stop(0));
        }
    }

    private static void assertProblem(HttpResponse<String> answer, int status, String code) {
        new Api.Reply(answer.statusCode(), answer.headers(), answer.body()).expectProblem(status, code);
    }

    @Test
    void refusalsOfTheProxyAreProblemsToo() throws IOException, InterruptedException {
        int service = Service.shared().port();
        try (Nginx nginx = Nginx.start(folder, service, service, service)) {
            assertProblem(nginx.send("GET", "/nowhere", null), 404, "NOT_FOUND");
            assertProblem(nginx.send("GET", "/api/v1/" + "x".repeat(9_000), null), 414, "URI_TOO_LONG");
            assertProblem(nginx.send("GET", "/api/v1/" + "x".repeat(40_000), null), 414, "URI_TOO_LONG");
            HttpRequest large = HttpRequest.newBuilder(nginx.request("GET", "/api/v1/workspaces", null), (_, _) -> true)
                    .POST(BodyPublishers.ofByteArray(new byte[3 << 20]))
                    .build();
            assertProblem(Nginx.HTTP.send(large, BodyHandlers.ofString()), 413, "PAYLOAD_TOO_LARGE");
        }
        int gone = Service.freePort();
        try (Nginx nginx = Nginx.start(folder, gone, gone, gone)) {
            assertProblem(nginx.send("GET", "/api/v1/workspaces", null), 502, "UNAVAILABLE");
            assertProblem(nginx.send("POST", "/api/v1/workspaces", null), 502, "UNAVAILABLE");
        }
    }

    /** The service hears only HTTP, and a browser names the origin that it sees. */
    @Test
    void aPageOfTheSameOriginWritesThroughTls() throws IOException, InterruptedException, GeneralSecurityException {
        int port = Service.freePort();
        Path key = folder.resolve("tls.key");
        Path certificate = folder.resolve("tls.crt");
        String command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
                + " -addext subjectAltName=DNS:localhost -keyout " + key + " -out " + certificate;
        assertThat(new ProcessBuilder(command.split(" ", -1))
                        .redirectErrorStream(true)
                        .redirectOutput(folder.resolve("openssl.log").toFile())
                        .start()
                        .waitFor())
                .isZero();
        String origin = "https://localhost:" + port;
        int service = Service.shared().port();
        String listen = "ssl_certificate " + certificate + "; ssl_certificate_key " + key + "; listen 127.0.0.1:" + port
                + " ssl";
        try (HttpClient browser = trusting(certificate);
                Nginx nginx = Nginx.start(folder, origin, listen, browser, service, service, service)) {
            for (String from : List.of(origin, "null", "https://evil.example")) {
                HttpResponse<String> answer =
                        nginx.send("POST", "/api/v1/workspaces", Tokens.of(UUID.randomUUID()), "Origin", from);

                assertThat(answer.statusCode()).as(from).isEqualTo(201);
                assertThat(answer.headers().firstValue("access-control-allow-origin"))
                        .isEmpty();
            }
        }
    }

    private static HttpClient trusting(Path certificate) throws IOException, GeneralSecurityException {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream in = Files.newInputStream(certificate)) {
            trusted.setCertificateEntry(
                    "nginx", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(trusted);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, managers.getTrustManagers(), null);
        return HttpClient.newBuilder().sslContext(tls).build();
    }
}
