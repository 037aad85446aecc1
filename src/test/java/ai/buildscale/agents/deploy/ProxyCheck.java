package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.WatchedProcess;
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
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The nginx of Compose, as it is configured there, in front of servers of this machine. */
class ProxyCheck {
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();
    private static final List<Path> PLACES = List.of(Path.of("/usr/sbin/nginx"), Path.of("/usr/local/sbin/nginx"));

    @TempDir
    private Path folder;

    private int port;

    /** The configuration with other addresses; names of Docker are not looked up, which older nginx cannot do. */
    private WatchedProcess nginx(int... servers) throws IOException {
        port = Service.freePort();
        String conf = Yaml.text(Path.of("deploy/compose/nginx.conf"))
                .replace("/tmp/", folder + "/")
                .replace("listen 8080", "listen 127.0.0.1:" + port)
                .replace("resolver 127.0.0.11 valid=5s;", "")
                .replace(" resolve ", " ")
                .replace("worker_rlimit_nofile 65536;", "")
                .replace("worker_connections 20000", "worker_connections 500");
        for (int i = 0; i < servers.length; i++) {
            conf = conf.replace("server-" + (i + 1) + ":8080", "127.0.0.1:" + servers[i]);
        }
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path file = Files.writeString(folder.resolve("nginx.conf"), conf);
        Path program = PLACES.stream().filter(Files::isExecutable).findFirst().orElseThrow();
        WatchedProcess nginx = WatchedProcess.start(
                "TERM",
                folder.resolve("nginx.log").toFile(),
                folder.toFile(),
                Map.of(),
                List.of(),
                List.of(program.toString(), "-p", folder.toString(), "-c", file.toString(), "-g", "daemon off;"));
        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .ignoreExceptions()
                .until(() -> send("GET", "/healthz", null).statusCode() == 200);
        return nginx;
    }

    private HttpRequest request(String method, String path, String token) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .timeout(Duration.ofSeconds(20))
                .method(
                        method,
                        method.equals("POST")
                                ? BodyPublishers.ofString("{\"name\":\"A workspace\"}")
                                : BodyPublishers.noBody())
                .header("Content-Type", "application/json");
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return request.build();
    }

    private HttpResponse<String> send(String method, String path, String token)
            throws IOException, InterruptedException {
        return HTTP.send(request(method, path, token), BodyHandlers.ofString());
    }

    private static HttpServer server(int status, AtomicInteger requests) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            requests.incrementAndGet();
            exchange.getRequestBody().readAllBytes();
            if (status > 0) {
                exchange.sendResponseHeaders(status, -1);
            }
            // without an answer: the connection is cut
            exchange.close();
        });
        server.start();
        return server;
    }

    @Test
    void requestsGoPastAServerThatIsGone() throws IOException, InterruptedException {
        Service service = Service.shared();
        try (WatchedProcess nginx = nginx(service.port(), Service.freePort(), Service.freePort())) {
            String token = Tokens.of(UUID.randomUUID());
            for (int i = 0; i < 10; i++) {
                assertThat(send("GET", "/api/v1/workspaces", token).statusCode())
                        .isEqualTo(200);
                assertThat(send("POST", "/api/v1/workspaces", token).statusCode())
                        .isEqualTo(201);
            }
            assertThat(nginx.isAlive()).isTrue();
        }
    }

    @Test
    void eventsComeThroughWhenTheyHappen() throws Exception {
        Service service = Service.shared();
        UUID user = UUID.randomUUID();
        String token = Tokens.of(user);
        Api owner = Api.withToken(service, user, token);
        String workspace = owner.newWorkspace();
        try (WatchedProcess nginx = nginx(service.port(), service.port(), service.port())) {
            HttpResponse<InputStream> stream = HTTP.send(
                    request("GET", "/api/v1/workspaces/" + workspace + "/events", token), BodyHandlers.ofInputStream());
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
            assertThat(nginx.isAlive()).isTrue();
        }
    }

    @Test
    void whatMayNotBeRepeatedIsSentOnce() throws IOException, InterruptedException {
        AtomicInteger cut = new AtomicInteger();
        AtomicInteger answered = new AtomicInteger();
        HttpServer one = server(0, cut);
        HttpServer two = server(204, answered);
        try (WatchedProcess nginx = nginx(
                one.getAddress().getPort(),
                two.getAddress().getPort(),
                two.getAddress().getPort())) {
            int sent = 0;
            int lost = 0;
            while (cut.get() == 0 && sent < 20) {
                sent++;
                lost += send("POST", "/api/v1/workspaces", null).statusCode() == 502 ? 1 : 0;
            }
            assertThat(cut).hasValue(1);
            assertThat(lost).isEqualTo(1);
            assertThat(answered).hasValue(sent - 1);

            // a GET is asked again of another, whoever is asked first
            Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> {
                assertThat(send("GET", "/api/v1/workspaces", null).statusCode()).isEqualTo(204);
                return cut.get() > 1;
            });
            assertThat(nginx.isAlive()).isTrue();
        } finally {
            one.stop(0);
            two.stop(0);
        }
    }

    @Test
    void onlyTheApiGoesThrough() throws IOException, InterruptedException {
        int service = Service.shared().port();
        try (WatchedProcess nginx = nginx(service, service, service)) {
            for (String path : List.of("/q/metrics", "/q/health", "/q/openapi", "/", "/api/../q/metrics")) {
                assertThat(send("GET", path, null).statusCode()).as(path).isEqualTo(404);
            }
            assertThat(send("GET", "/api/v1/workspaces", null).statusCode()).isEqualTo(401);
            assertThat(nginx.isAlive()).isTrue();
        }
    }
}
