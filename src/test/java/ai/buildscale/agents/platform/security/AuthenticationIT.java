package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which tokens the service takes: everything about one is checked, each time. */
class AuthenticationIT {
    private static final Service SERVICE = Service.shared();
    private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();
    private static final UUID USER = UUID.randomUUID();

    /** The claims of a good token. */
    private static ObjectNode claims() {
        ObjectNode claims = Api.JSON.createObjectNode();
        claims.put("iss", DevKeys.ISSUER).put("aud", DevKeys.AUDIENCE).put("sub", USER.toString());
        claims.put("iat", Instant.now().getEpochSecond());
        claims.put("exp", Instant.now().plusSeconds(600).getEpochSecond());
        return claims;
    }

    private static String part(String json) {
        return BASE64.encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    private interface Signer {
        byte[] sign(byte[] content) throws GeneralSecurityException;
    }

    private static String token(String header, String claims, Signer signer) {
        try {
            String content = part(header) + "." + part(claims);
            return content + "." + BASE64.encodeToString(signer.sign(content.getBytes(StandardCharsets.US_ASCII)));
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] rs256(PrivateKey key, byte[] content) throws GeneralSecurityException {
        Signature signature = Signature.getInstance("SHA256withRSA");
        signature.initSign(key);
        signature.update(content);
        return signature.sign();
    }

    private static byte[] hs256(byte[] key, byte[] content) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(content);
    }

    /** Signed with the right key. */
    private static String signed(JsonNode claims) {
        return token(
                "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
                claims.toString(),
                content -> rs256(Tokens.keys().privateKey(), content));
    }

    private static String signed(Consumer<ObjectNode> change) {
        ObjectNode claims = claims();
        change.accept(claims);
        return signed(claims);
    }

    private static byte[] publicPem() {
        try {
            return Files.readAllBytes(Tokens.keys().publicFile());
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static byte[] publicDer() {
        String pem = new String(publicPem(), StandardCharsets.US_ASCII).replaceAll("-----[A-Z ]+-----|\\s", "");
        return Base64.getDecoder().decode(pem);
    }

    private static Api.Reply with(String authorization) {
        return Api.withToken(SERVICE, USER, null).get("/workspaces", "Authorization", authorization);
    }

    private static void assertRefused(Api.Reply reply) {
        reply.expectProblem(401, "INVALID_TOKEN");
        assertThat(reply.header("www-authenticate")).startsWith("Bearer");
        assertThat(reply.text()).doesNotContain(USER.toString()).doesNotContain("jose4j");
    }

    static Stream<Arguments> badTokens() throws Exception {
        String good = signed(claims());
        String[] parts = good.split("\\.", -1);
        String claims = claims().toString();
        PrivateKey another = new DevKeys(Path.of("target/it-keys-of-others").toAbsolutePath()).privateKey();
        long now = Instant.now().getEpochSecond();
        ObjectNode forAnother = claims().put("sub", UUID.randomUUID().toString());
        // proves that the key below is the one that the service verifies with
        assertThat(KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(publicDer())))
                .isNotNull();
        return Stream.of(
                Arguments.of("garbage", "garbage"),
                Arguments.of("two dots", ".."),
                Arguments.of("no signature", parts[0] + "." + parts[1]),
                Arguments.of("an empty signature", parts[0] + "." + parts[1] + "."),
                Arguments.of("a part too many", good + "." + parts[2]),
                Arguments.of("no Base64", "***.***.***"),
                Arguments.of("another's claims", parts[0] + "." + part(forAnother.toString()) + "." + parts[2]),
                Arguments.of("one character changed", parts[0] + "." + changed(parts[1]) + "." + parts[2]),
                Arguments.of("a changed signature", parts[0] + "." + parts[1] + "." + changed(parts[2])),
                Arguments.of("alg none", part("{\"alg\":\"none\"}") + "." + part(claims) + "."),
                Arguments.of("alg None", part("{\"alg\":\"None\"}") + "." + part(claims) + "."),
                Arguments.of(
                        "alg none, signed",
                        token(
                                "{\"alg\":\"none\"}",
                                claims,
                                c -> rs256(Tokens.keys().privateKey(), c))),
                Arguments.of(
                        "no alg",
                        token(
                                "{\"typ\":\"JWT\"}",
                                claims,
                                c -> rs256(Tokens.keys().privateKey(), c))),
                Arguments.of(
                        "HS256 with the public PEM", token("{\"alg\":\"HS256\"}", claims, c -> hs256(publicPem(), c))),
                Arguments.of(
                        "HS256 with the public DER", token("{\"alg\":\"HS256\"}", claims, c -> hs256(publicDer(), c))),
                Arguments.of(
                        "HS256 said to be RS256", token("{\"alg\":\"RS256\"}", claims, c -> hs256(publicPem(), c))),
                Arguments.of("another key", token("{\"alg\":\"RS256\"}", claims, c -> rs256(another, c))),
                Arguments.of(
                        "a key of its own",
                        token(
                                "{\"alg\":\"RS256\",\"jku\":\"http://127.0.0.1:1/jwks\",\"kid\":\"../../dev/null\"}",
                                claims,
                                c -> rs256(another, c))),
                Arguments.of("expired a second ago", signed(c -> expired(c, now - 1))),
                Arguments.of("expired an hour ago", signed(c -> expired(c, now - 3_600))),
                Arguments.of("expired long ago", signed(c -> expired(c, 1))),
                Arguments.of("expired before time", signed(c -> expired(c, -1))),
                Arguments.of("no exp", signed(c -> c.remove("exp"))),
                Arguments.of("exp null", signed(c -> c.putNull("exp"))),
                Arguments.of("exp a text", signed(c -> c.put("exp", Long.toString(now + 600)))),
                Arguments.of("exp beyond all time", signed(c -> c.put("exp", Long.MAX_VALUE))),
                Arguments.of("not yet valid", signed(c -> c.put("nbf", now + 300))),
                Arguments.of("another issuer", signed(c -> c.put("iss", "https://elsewhere.example"))),
                Arguments.of("an issuer alike", signed(c -> c.put("iss", DevKeys.ISSUER + "/"))),
                Arguments.of("no issuer", signed(c -> c.remove("iss"))),
                Arguments.of("another audience", signed(c -> c.put("aud", "another-service"))),
                Arguments.of(
                        "other audiences",
                        signed(c -> c.putArray("aud").add("a").add("b"))),
                Arguments.of("no audience", signed(c -> c.remove("aud"))),
                Arguments.of("no sub", signed(c -> c.remove("sub"))),
                Arguments.of("an empty sub", signed(c -> c.put("sub", ""))),
                Arguments.of("a sub that is no UUID", signed(c -> c.put("sub", "alice"))),
                Arguments.of("a sub that is short for a UUID", signed(c -> c.put("sub", "1-1-1-1-1"))),
                Arguments.of("a sub that is a number", signed(c -> c.put("sub", 5))),
                Arguments.of("groups that are no list", signed(c -> c.put("groups", 5))),
                Arguments.of(
                        "no claims",
                        token(
                                "{\"alg\":\"RS256\"}",
                                "{}",
                                c -> rs256(Tokens.keys().privateKey(), c))),
                Arguments.of(
                        "claims that are no object",
                        token(
                                "{\"alg\":\"RS256\"}",
                                "[]",
                                c -> rs256(Tokens.keys().privateKey(), c))));
    }

    /** Without {@code iat}, so that nothing but the clock can tell. */
    private static void expired(ObjectNode claims, long at) {
        claims.remove("iat");
        claims.put("exp", at);
    }

    private static String changed(String part) {
        int middle = part.length() / 2;
        return part.substring(0, middle) + (part.charAt(middle) == 'A' ? 'B' : 'A') + part.substring(middle + 1);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badTokens")
    void refusesEveryTokenThatIsNotGood(String name, String token) {
        assertRefused(with("Bearer " + token));
        assertRefused(with("Bearer " + token));
    }

    @Test
    void takesAGoodToken() {
        assertThat(with("Bearer " + signed(claims())).status()).isEqualTo(200);
        assertThat(with("bearer  " + signed(claims())).status()).isEqualTo(200);
        assertThat(with("Bearer " + signed(c -> c.putArray("aud").add("other").add(DevKeys.AUDIENCE)))
                        .status())
                .isEqualTo(200);
        assertThat(with("Bearer " + signed(c -> c.put("exp", 4_000_000_000L))).status())
                .isEqualTo(200);
        assertThat(with("Bearer " + signed(c -> c.put("nbf", Instant.now().getEpochSecond() - 5)))
                        .status())
                .isEqualTo(200);
    }

    @Test
    void theSubjectIsTheUser() {
        UUID user = UUID.randomUUID();
        Api caller = Api.withToken(SERVICE, user, Tokens.of(user));

        JsonNode workspace =
                caller.post("/workspaces", "{\"name\":\"Mine\"}").expect(201).get("workspace");

        assertThat(workspace.get("created_by").asText()).isEqualTo(user.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"Basic YTpi", "Bearer", "Bearer ", "Token x", "DPoP x", "x"})
    void refusesOtherSchemes(String authorization) {
        assertRefused(with(authorization));
    }

    @Test
    void refusesOtherSchemesEvenWithAGoodToken() {
        assertRefused(with("Basic " + signed(claims())));
        assertRefused(with(signed(claims())));
        assertRefused(with("Bearer " + signed(claims()) + ", Bearer x"));
    }

    @Test
    void refusesNoToken() {
        Api nobody = Api.withToken(SERVICE, null, null);

        assertRefused(nobody.get("/workspaces"));
        assertRefused(nobody.post("/workspaces", "{\"name\":\"x\"}"));
        assertRefused(nobody.get("/nothing"));
        assertRefused(nobody.get("/workspaces?access_token=" + signed(claims())));
        assertRefused(nobody.get("/workspaces", "Cookie", "token=" + signed(claims())));
    }

    @Test
    void aRememberedTokenStillExpires() {
        Api caller = Api.withToken(SERVICE, USER, Tokens.of(USER, Duration.ofSeconds(3)));
        assertThat(caller.get("/workspaces").status()).isEqualTo(200);
        assertThat(caller.get("/workspaces").status()).isEqualTo(200);

        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(50))
                .untilAsserted(() -> assertRefused(caller.get("/workspaces")));
    }

    @Test
    void anExpiredTokenIsNotRememberedAsGood() {
        String token = signed(c -> c.put("exp", Instant.now().plusSeconds(2).getEpochSecond()));
        Instant end = Instant.now().plusSeconds(2);

        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> with("Bearer " + token).status() == 401);

        assertThat(Instant.now()).isBefore(end.plusSeconds(5));
        assertRefused(with("Bearer " + token));
    }

    @Test
    void theGroupAdminOperatesThePlatform() {
        Api owner = Api.user(SERVICE);
        String workspace = owner.newWorkspace();
        String session = owner.newSession(workspace).get("id").asText();

        for (String group : List.of("admin", "agent-host", "Admin", "admins", "")) {
            UUID user = UUID.randomUUID();
            Api caller = Api.withToken(SERVICE, user, Tokens.of(user, group));
            int expected = group.equals("admin") ? 200 : 403;
            assertThat(caller.get("/agent-sessions/" + session).status())
                    .as(group)
                    .isEqualTo(expected);
            assertThat(caller.get("/workspaces/" + workspace).status())
                    .as(group)
                    .isEqualTo(expected);
        }
    }

    @Test
    void whatIsNoApiNeedsNoToken() {
        Api nobody = Api.withToken(SERVICE, null, null);

        for (String path : Set.of(
                "/q/health",
                "/q/health/live",
                "/q/health/ready",
                "/q/health/started",
                "/q/openapi",
                "/q/openapi?format=json",
                "/q/metrics")) {
            assertThat(nobody.get(path).status()).as(path).isEqualTo(200);
        }
        assertThat(RawHttp.send(SERVICE, RawHttp.head("GET /nothing HTTP/1.1")).status())
                .isEqualTo(404);
    }

    @Test
    void aBadTokenIsNoReasonToRefuseHealth() {
        Api confused = Api.withToken(SERVICE, null, "garbage");

        assertThat(confused.get("/q/health/live").status()).isIn(200, 401);
        assertThat(SERVICE.statusOf("/q/health/live")).isEqualTo(200);
    }
}
