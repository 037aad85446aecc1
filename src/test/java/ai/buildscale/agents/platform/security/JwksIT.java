package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.RSAPrivateCrtKey;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The keys of tokens come from an address. */
class JwksIT {
    private static final String PATH = "/.well-known/jwks.json";

    private static HttpServer jwks(int port) throws IOException {
        RSAPrivateCrtKey key = (RSAPrivateCrtKey) Tokens.keys().privateKey();
        byte[] set = ("{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"one\",\"n\":\""
                        + number(key.getModulus()) + "\",\"e\":\"" + number(key.getPublicExponent()) + "\"}]}")
                .getBytes(StandardCharsets.UTF_8);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext(PATH, exchange -> {
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, set.length);
            exchange.getResponseBody().write(set);
            exchange.close();
        });
        server.start();
        return server;
    }

    private static String number(BigInteger value) {
        byte[] bytes = value.toByteArray();
        int sign = bytes[0] == 0 ? 1 : 0;
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(java.util.Arrays.copyOfRange(bytes, sign, bytes.length));
    }

    @Test
    void tokensAreCheckedWithTheKeysOfAnAddress() throws IOException {
        HttpServer jwks = jwks(0);
        String address = "http://127.0.0.1:" + jwks.getAddress().getPort() + PATH;
        try (Service service = Service.start(Map.of("mp.jwt.verify.publickey.location", address))) {
            Api.user(service).get("/workspaces").expect(200);
            Api.withToken(service, UUID.randomUUID(), "a.b.c")
                    .get("/workspaces")
                    .expectProblem(401, "INVALID_TOKEN");
        } finally {
            jwks.stop(0);
        }
    }

    @Test
    void anAddressThatDoesNotAnswerIsNotTheCallersFault() throws IOException {
        int port = Service.freePort();
        String address = "http://127.0.0.1:" + port + PATH;
        try (Service service = Service.start(Map.of("mp.jwt.verify.publickey.location", address))) {
            Api user = Api.user(service);
            Api.Reply reply = user.get("/workspaces");
            reply.expectProblem(503, "UNAVAILABLE");
            assertThat(service.log()).contains("the keys of JWT_KEYS do not come");
            assertThat(service.metric("issuer_keys")).isZero();
            assertThat(service.metric("issuer_keys_age_seconds")).isPositive();
            assertThat(service.statusOf("/q/health/ready")).isEqualTo(200);

            HttpServer jwks = jwks(port);
            try {
                user.get("/workspaces").expect(200);
                assertThat(service.metric("issuer_keys")).isEqualTo(1);
            } finally {
                jwks.stop(0);
            }
        }
    }
}
