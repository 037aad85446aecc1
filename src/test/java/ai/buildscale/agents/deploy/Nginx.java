package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.WatchedProcess;
import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;

/** The nginx of Compose, as it is configured there, in front of servers of this machine. */
final class Nginx implements AutoCloseable {
    static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();
    private static final List<Path> PLACES = List.of(Path.of("/usr/sbin/nginx"), Path.of("/usr/local/sbin/nginx"));

    private final WatchedProcess process;
    private final HttpClient client;
    private final String url;

    private Nginx(WatchedProcess process, HttpClient client, String url) {
        this.process = process;
        this.client = client;
        this.url = url;
    }

    /** Starts it in this folder, before servers at these three ports. */
    static Nginx start(Path folder, int... servers) throws IOException {
        int port = Service.freePort();
        return start(folder, "http://127.0.0.1:" + port, "listen 127.0.0.1:" + port, HTTP, servers);
    }

    /**
     * The same with another address, as one with TLS.
     *
     * @param listen directives in place of the one that says where it listens
     * @param client one that can speak to it
     */
    static Nginx start(Path folder, String url, String listen, HttpClient client, int... servers) throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path file = Files.writeString(folder.resolve("nginx.conf"), configuration(folder, listen, servers));
        Path program = PLACES.stream().filter(Files::isExecutable).findFirst().orElseThrow();
        WatchedProcess process = WatchedProcess.start(
                "TERM",
                folder.resolve("nginx.log").toFile(),
                folder.toFile(),
                Map.of(),
                List.of(),
                List.of(program.toString(), "-p", folder.toString(), "-c", file.toString(), "-g", "daemon off;"));
        Nginx nginx = new Nginx(process, client, url);
        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .ignoreExceptions()
                .until(() -> nginx.send("GET", "/healthz", null).statusCode() == 200);
        return nginx;
    }

    /** With other addresses; names of Docker are not looked up, which older nginx cannot do. */
    private static String configuration(Path folder, String listen, int... servers) {
        String conf = Yaml.text(Path.of("deploy/compose/nginx.conf"))
                .replace("/tmp/", folder + "/")
                .replace("listen 8080", listen)
                .replace("resolver 127.0.0.11 valid=5s;", "")
                .replace(" resolve ", " ")
                .replace("worker_rlimit_nofile 65536;", "")
                .replace("worker_connections 20000", "worker_connections 500");
        for (int i = 0; i < servers.length; i++) {
            conf = conf.replace("server-" + (i + 1) + ":8080", "127.0.0.1:" + servers[i]);
        }
        return conf;
    }

    HttpRequest request(String method, String path, String token, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
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
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return request.build();
    }

    HttpResponse<String> send(String method, String path, String token, String... headers)
            throws IOException, InterruptedException {
        return client.send(request(method, path, token, headers), BodyHandlers.ofString());
    }

    /** Fails if nginx has ended by itself: no request may end it. */
    @Override
    public void close() {
        boolean alive = process.isAlive();
        process.close();
        assertThat(alive).as("nginx still runs").isTrue();
    }
}
