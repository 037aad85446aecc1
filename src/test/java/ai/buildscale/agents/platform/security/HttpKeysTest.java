package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.buildscale.agents.testing.Issuer;
import ai.buildscale.agents.testing.Service;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How the document with the keys is fetched, or read from a file. */
class HttpKeysTest {
    private static final Vertx VERTX = Vertx.vertx();

    private final Issuer issuer = Issuer.at(0, Issuer.text(200, "the keys"));

    @AfterAll
    static void end() {
        VERTX.close().toCompletionStage().toCompletableFuture().join();
    }

    @AfterEach
    void stop() {
        issuer.close();
    }

    private String read() throws IOException {
        return read(issuer.address());
    }

    private static String read(String location) throws IOException {
        return read(KeySource.of(VERTX, location));
    }

    private static String read(KeySource source) throws IOException {
        try {
            return source.read().await().atMost(Duration.ofSeconds(10));
        } catch (CompletionException e) {
            throw new IOException(e.getCause());
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    @Test
    void comesFromAnAddress() throws IOException {
        assertThat(read()).isEqualTo("the keys");
        assertThat(read(issuer.address().replace("http:", "HTTP:"))).isEqualTo("the keys");
    }

    @Test
    void theUserAndPasswordOfAnAddressAreSentToNobody() throws IOException {
        issuer.answer(exchange -> {
            String header = String.valueOf(exchange.getRequestHeaders().getFirst("Authorization"));
            Issuer.text(200, header).answer(exchange);
        });

        assertThat(read(issuer.address().replace("http://", "http://user:p@ss@")))
                .isEqualTo("null");
    }

    @ParameterizedTest
    @ValueSource(ints = {201, 204, 304, 401, 404, 500, 503})
    void anythingButOkIsNoAnswer(int status) {
        issuer.answer(Issuer.text(status, ""));

        assertThatIOException().isThrownBy(this::read).withMessageContaining(Integer.toString(status));
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 303, 307, 308})
    void aRedirectIsFollowed(int status) throws IOException {
        issuer.answer(exchange -> {
            boolean there = exchange.getRequestURI().getPath().equals("/elsewhere");
            exchange.getResponseHeaders().set("Location", "/elsewhere");
            Issuer.text(there ? 200 : status, there ? "the keys" : "").answer(exchange);
        });

        assertThat(read()).isEqualTo("the keys");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/.well-known/jwks.json", "file:///etc/hostname", "jar:x", "not an address", ""})
    void aRedirectInACircleOrToAnotherSchemeIsNoAnswer(String location) {
        issuer.answer(exchange -> {
            exchange.getResponseHeaders().set("Location", location);
            Issuer.text(302, "").answer(exchange);
        });

        assertThatIOException().isThrownBy(this::read);
        assertThat(issuer.asked()).isLessThan(6);
    }

    @Test
    void anAnswerThatIsTooLongIsNotReadToItsEnd() {
        issuer.answer(exchange -> {
            exchange.sendResponseHeaders(200, 0);
            OutputStream out = exchange.getResponseBody();
            for (int i = 0; i < 10_000; i++) {
                out.write(new byte[8_192]);
            }
        });

        assertThatIOException().isThrownBy(this::read).withMessageContaining("more than 524288 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"})
    void anAnswerThatComesByteByByteIsGivenUp(String begin) throws Exception {
        try (Dripping server = new Dripping(begin)) {
            HttpKeys keys =
                    new HttpKeys(VERTX, URI.create("http://127.0.0.1:" + server.port() + "/"), Duration.ofMillis(400));
            long begun = System.nanoTime();

            assertThatIOException().isThrownBy(() -> read(keys));
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(4));
        }
    }

    @Test
    void comesThroughTheProxyOfTheJvm() throws IOException {
        System.setProperty("http.proxyHost", "127.0.0.1");
        System.setProperty(
                "http.proxyPort", Integer.toString(URI.create(issuer.address()).getPort()));
        try {
            assertThat(read("http://an_issuer.example/jwks")).isEqualTo("the keys");
        } finally {
            System.clearProperty("http.proxyHost");
            System.clearProperty("http.proxyPort");
        }
    }

    @Test
    void nobodyThereIsNoAnswer() {
        String address = "http://user:secret@127.0.0.1:" + Service.freePort() + "/jwks";

        assertThatIOException()
                .isThrownBy(() -> read(address))
                .satisfies(e -> assertThat(e.toString()).doesNotContain("secret"));
    }

    @Test
    void comesFromAFile(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("keys"), "the keys");
        for (String location :
                new String[] {file.toString(), "file:" + file, file.toUri().toString()}) {
            assertThat(read(location)).as(location).isEqualTo("the keys");
        }

        Files.writeString(file, "other keys");
        assertThat(read(file.toString())).isEqualTo("other keys");
        Files.write(file, new byte[600_000]);
        assertThatIOException().isThrownBy(() -> read(file.toString()));
        Files.delete(file);
        assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> read(file.toString()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ftp://user:secret@host/jwks",
                "http://",
                "https://ho st/jwks",
                "https://host/{tenant}:secret",
                "://secret"
            })
    void anyOtherLocationIsRefusedWithoutItsText(String location) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> KeySource.of(VERTX, location))
                .withMessage("JWT_KEYS must be an address of http or https, or a file")
                .withNoCause();
    }

    /** A server that sends a byte every now and then, and never comes to an end. */
    private static final class Dripping implements AutoCloseable {
        private final java.net.ServerSocket server =
                new java.net.ServerSocket(0, 5, java.net.InetAddress.getLoopbackAddress());

        Dripping(String begin) throws IOException {
            Thread.ofVirtual().start(() -> {
                try (java.net.Socket client = server.accept()) {
                    client.getOutputStream().write(begin.getBytes(StandardCharsets.US_ASCII));
                    while (!server.isClosed()) {
                        client.getOutputStream().write('x');
                        Thread.sleep(20);
                    }
                } catch (IOException | InterruptedException e) {
                    // it is over
                }
            });
        }

        int port() {
            return server.getLocalPort();
        }

        @Override
        public void close() throws IOException {
            server.close();
        }
    }
}
