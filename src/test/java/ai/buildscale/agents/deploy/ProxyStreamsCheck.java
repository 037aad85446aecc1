package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Streams through the nginx of Compose: what passes by itself is never their end. */
class ProxyStreamsCheck {
    @TempDir
    private Path folder;

    /** What EventSource does: it comes back with its last id when a stream ends, and gives up at anything but 200. */
    private static final class Page implements AutoCloseable {
        private final HttpRequest asked;
        private final Set<String> seen = ConcurrentHashMap.newKeySet();
        private final Thread thread;
        private volatile int refused;
        private volatile InputStream open;

        Page(HttpRequest asked) {
            this.asked = asked;
            this.thread = Thread.ofVirtual().start(this::follow);
        }

        private void follow() {
            String lastId = null;
            long retry = 1_000;
            try {
                while (true) {
                    HttpRequest.Builder request = HttpRequest.newBuilder(asked, (_, _) -> true);
                    if (lastId != null) {
                        request.header("Last-Event-ID", lastId);
                    }
                    HttpResponse<InputStream> stream = Nginx.HTTP.send(request.build(), BodyHandlers.ofInputStream());
                    if (stream.statusCode() != 200) {
                        refused = stream.statusCode();
                        return;
                    }
                    open = stream.body();
                    BufferedReader lines =
                            new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8));
                    for (String line = next(lines); line != null; line = next(lines)) {
                        String value = line.substring(line.indexOf(':') + 1).strip();
                        if (line.startsWith("id:")) {
                            lastId = value;
                        } else if (line.startsWith("retry:")) {
                            retry = Long.parseLong(value);
                        } else if (line.startsWith("data:")) {
                            seen.add(Api.JSON.readTree(value).path("session_id").asText());
                        }
                    }
                    Thread.sleep(retry);
                }
            } catch (IOException | UncheckedIOException | InterruptedException e) {
                // closed
            }
        }

        /** Null at the end, however it comes. */
        private static String next(BufferedReader lines) {
            try {
                return lines.readLine();
            } catch (IOException e) {
                return null;
            }
        }

        @Override
        public void close() throws IOException {
            thread.interrupt();
            if (open != null) {
                open.close();
            }
        }
    }

    private static void awaitSeen(List<Page> pages, JsonNode session) {
        String id = session.get("id").asText();
        Servers.await()
                .untilAsserted(() -> assertThat(pages)
                        .allSatisfy(page -> assertThat(page.seen).contains(id)));
    }

    @Test
    void streamsGoOnElsewhereWhenTheirServerDrains() throws IOException {
        try (Servers servers = Servers.start(3);
                Nginx nginx = Nginx.start(
                        folder,
                        servers.get(1).port(),
                        servers.get(2).port(),
                        servers.get(3).port())) {
            UUID user = UUID.randomUUID();
            String token = Tokens.of(user);
            Api owner = Api.withToken(servers.get(2), user, token);
            String workspace = owner.newWorkspace();
            HttpRequest stream = nginx.request("GET", "/api/v1/workspaces/" + workspace + "/events", token);
            List<Page> pages = new ArrayList<>();
            try {
                for (int i = 0; i < 9; i++) {
                    pages.add(new Page(stream));
                }
                Servers.await().until(() -> streams(servers, 1, 2, 3) == pages.size());
                assertThat(streams(servers, 1)).isPositive();
                awaitSeen(pages, owner.newSession(workspace));

                servers.operator()
                        .at(servers.get(2))
                        .post("/servers/" + servers.id(1) + "/drain", "{}")
                        .expect(200);
                awaitSeen(pages, owner.newSession(workspace));
                // it lives on, and is asked in its turn
                for (int i = 0; i < 9; i++) {
                    pages.add(new Page(stream));
                }
                Servers.await().until(() -> streams(servers, 2, 3) == pages.size());
                awaitSeen(pages, owner.newSession(workspace));

                // and while one that is killed comes to be known as gone
                servers.get(2).kill();
                Api other = owner.at(servers.get(3));
                awaitSeen(pages, other.newSession(workspace));
                assertThat(pages).allMatch(page -> page.refused == 0);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            } finally {
                for (Page page : pages) {
                    page.close();
                }
            }
        }
    }

    private static int streams(Servers servers, int... numbers) {
        int open = 0;
        for (int number : numbers) {
            open += (int) servers.get(number).metric("events_streams_open");
        }
        return open;
    }

    @Test
    void aStreamOutlivesAllServers() throws IOException, InterruptedException {
        int later = Service.freePort();
        List<String> streams = List.of(
                "/api/v1/workspaces/" + UUID.randomUUID() + "/events?stream_token=x",
                "/api/v1/workspaces/" + UUID.randomUUID() + "/chats/" + UUID.randomUUID() + "/events",
                "/api/v1/agent-hosts/" + UUID.randomUUID() + "/work");
        try (Nginx nginx = Nginx.start(folder, later, Service.freePort(), Service.freePort())) {
            for (String stream : streams) {
                // more often than there are servers: then nginx knows without asking that there is none
                for (int i = 0; i < 5; i++) {
                    HttpResponse<String> answer = nginx.send("GET", stream, null);

                    assertThat(answer.statusCode()).isEqualTo(200);
                    assertThat(answer.headers().firstValue("content-type")).hasValue("text/event-stream");
                    assertThat(answer.headers().firstValue("access-control-allow-origin"))
                            .as("a page of another origin must be able to read it")
                            .hasValue("*");
                    assertThat(answer.body()).matches("retry: [12]\\d00\n");
                    assertThat(nginx.send("HEAD", stream, null).statusCode()).isEqualTo(200);
                }
            }
            for (String path : List.of("/api/v1/workspaces", streams.getLast(), "/api/v1/agent-sessions/x/events")) {
                assertThat(nginx.send("POST", path, null).statusCode()).isEqualTo(502);
            }

            HttpServer back = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), later), 0);
            back.createContext("/", exchange -> {
                exchange.sendResponseHeaders(204, -1);
                exchange.close();
            });
            back.start();
            try {
                Awaitility.await()
                        .atMost(Duration.ofSeconds(10))
                        .until(() -> nginx.send("GET", streams.getFirst(), null).statusCode() == 204);
            } finally {
                back.stop(0);
            }
        }
    }

    /** nginx keeps its connections to servers, and hands them from one caller to the next. */
    @Test
    void theHeadOfAStreamLeavesNothingToTheNextCaller() throws IOException, InterruptedException {
        Service service = Service.shared();
        Api owner = Api.user(service);
        String workspace = owner.newWorkspace();
        double before = service.metric("events_streams_open");
        try (Nginx nginx = Nginx.start(folder, service.port(), service.port(), service.port())) {
            for (int i = 0; i < 12; i++) {
                assertThat(nginx.send("HEAD", "/api/v1/workspaces/" + workspace + "/events", owner.token())
                                .statusCode())
                        .isEqualTo(200);
                assertThat(nginx.send("GET", "/api/v1/workspaces", Tokens.of(UUID.randomUUID()))
                                .statusCode())
                        .isEqualTo(200);
            }
            Servers.await().until(() -> service.metric("events_streams_open") == before);
        }
    }
}
