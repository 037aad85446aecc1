package ai.buildscale.agents.testing;

import ai.buildscale.agents.dev.DevKeys;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** An issuer of tokens whose JWKS is what a test says, when it says so, and which counts how often it was asked. */
public final class Issuer implements AutoCloseable {
    private static final String PATH = "/.well-known/jwks.json";

    /** Answers a request for the keys. */
    public interface Page {
        void answer(HttpExchange exchange) throws IOException;
    }

    private final HttpServer server;
    private final AtomicInteger asked = new AtomicInteger();
    private volatile Page page;

    private Issuer(HttpServer server, Page page) {
        this.server = server;
        this.page = page;
    }

    /** One at a free port of the loopback, that answers with these keys. */
    public static Issuer of(SigningKey... keys) {
        return at(0, jwks(keys));
    }

    public static Issuer at(int port, Page page) {
        try {
            HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
            Issuer issuer = new Issuer(server, page);
            server.createContext("/", issuer::answer);
            server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
            server.start();
            return issuer;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void answer(HttpExchange exchange) throws IOException {
        asked.incrementAndGet();
        try (exchange) {
            page.answer(exchange);
        }
    }

    /** What JWT_KEYS is. */
    public String address() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + PATH;
    }

    /** How often it was asked for its keys. */
    public int asked() {
        return asked.get();
    }

    /** From now on it answers with these keys, and no others. */
    public void publish(SigningKey... keys) {
        page = jwks(keys);
    }

    public void answer(Page page) {
        this.page = page;
    }

    public static Page jwks(SigningKey... keys) {
        return jwks(Arrays.stream(keys).map(SigningKey::jwk).toArray(JsonNode[]::new));
    }

    public static Page jwks(JsonNode... keys) {
        ObjectNode set = Api.JSON.createObjectNode();
        set.putArray("keys").addAll(Arrays.asList(keys));
        return text(200, set.toString());
    }

    public static Page text(int status, String body) {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        return exchange -> {
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
        };
    }

    /** The claims of a good token of an hour, for a new user. */
    public static ObjectNode claims() {
        return claims(UUID.randomUUID());
    }

    public static ObjectNode claims(UUID user) {
        long now = Instant.now().getEpochSecond();
        return Api.JSON
                .createObjectNode()
                .put("iss", DevKeys.ISSUER)
                .put("aud", DevKeys.AUDIENCE)
                .put("sub", user.toString())
                .put("iat", now)
                .put("exp", now + 3_600);
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
