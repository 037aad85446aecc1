package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.oneOf;
import static org.hamcrest.Matchers.startsWith;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.builder.ResponseSpecBuilder;
import io.restassured.response.Response;
import io.restassured.specification.ResponseSpecification;
import java.io.IOException;
import java.io.UncheckedIOException;
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
import java.util.Map;
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
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class AuthenticationTest {
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
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] publicDer() {
        String pem = new String(publicPem(), StandardCharsets.US_ASCII).replaceAll("-----[A-Z ]+-----|\\s", "");
        return Base64.getDecoder().decode(pem);
    }

    private static Api withToken(String token) {
        return Api.withToken(Service.ofQuarkus(), null, token);
    }

    private static Response with(String authorization) {
        return withToken(null).given().header("Authorization", authorization).get("/workspaces");
    }

    private static Response outsideTheApi(Api caller, String path) {
        return caller.given().baseUri(Service.ofQuarkus().url("")).get(path);
    }

    private static ResponseSpecification refused() {
        return new ResponseSpecBuilder()
                .addResponseSpecification(problem(401, "INVALID_TOKEN"))
                .expectHeader("WWW-Authenticate", startsWith("Bearer"))
                .expectBody(not(containsString(USER.toString())))
                .expectBody(not(containsString("jose4j")))
                .build();
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
        with("Bearer " + token).then().spec(refused());
        with("Bearer " + token).then().spec(refused());
    }

    @Test
    void takesAGoodToken() {
        with("Bearer " + signed(claims())).then().statusCode(200);
        with("bearer  " + signed(claims())).then().statusCode(200);
        with("Bearer " + signed(c -> c.putArray("aud").add("other").add(DevKeys.AUDIENCE)))
                .then()
                .statusCode(200);
        with("Bearer " + signed(c -> c.put("exp", 4_000_000_000L))).then().statusCode(200);
        with("Bearer " + signed(c -> c.put("nbf", Instant.now().getEpochSecond() - 5)))
                .then()
                .statusCode(200);
    }

    @Test
    void theSubjectIsTheUser() {
        UUID user = UUID.randomUUID();

        withToken(Tokens.of(user))
                .given()
                .body(Map.of("name", "Mine"))
                .post("/workspaces")
                .then()
                .statusCode(201)
                .body("workspace.created_by", is(user.toString()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Basic YTpi", "Bearer", "Bearer ", "Token x", "DPoP x", "x"})
    void refusesOtherSchemes(String authorization) {
        with(authorization).then().spec(refused());
    }

    @Test
    void refusesOtherSchemesEvenWithAGoodToken() {
        with("Basic " + signed(claims())).then().spec(refused());
        with(signed(claims())).then().spec(refused());
        with("Bearer " + signed(claims()) + ", Bearer x").then().spec(refused());
    }

    @Test
    void refusesNoToken() {
        Api nobody = withToken(null);
        String good = signed(claims());

        nobody.given().get("/workspaces").then().spec(refused());
        nobody.given().body(Map.of("name", "x")).post("/workspaces").then().spec(refused());
        nobody.given().get("/nothing").then().spec(refused());
        nobody.given().get("/workspaces?access_token=" + good).then().spec(refused());
        nobody.given()
                .header("Cookie", "token=" + good)
                .get("/workspaces")
                .then()
                .spec(refused());
    }

    @Test
    void aRememberedTokenStillExpires() {
        Api caller = withToken(Tokens.of(USER, Duration.ofSeconds(3)));
        caller.given().get("/workspaces").then().statusCode(200);
        caller.given().get("/workspaces").then().statusCode(200);

        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(50))
                .untilAsserted(() -> caller.given().get("/workspaces").then().spec(refused()));
    }

    @Test
    void anExpiredTokenIsNotRememberedAsGood() {
        String token = signed(c -> c.put("exp", Instant.now().plusSeconds(2).getEpochSecond()));
        Instant end = Instant.now().plusSeconds(2);

        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> with("Bearer " + token).statusCode() == 401);

        assertThat(Instant.now()).isBefore(end.plusSeconds(5));
        with("Bearer " + token).then().spec(refused());
    }

    @Test
    void theGroupAdminOperatesThePlatform() {
        Api owner = Api.newUser();
        String workspace = owner.newWorkspace();
        String session = owner.newSession(workspace).get("id").asText();

        for (String group : List.of("admin", "agent-host", "Admin", "admins", "")) {
            Api caller = Api.newUser(group);
            int expected = group.equals("admin") ? 200 : 403;

            assertThat(caller.given().get("/agent-sessions/{id}", session).statusCode())
                    .as(group)
                    .isEqualTo(expected);
            assertThat(caller.given().get("/workspaces/{id}", workspace).statusCode())
                    .as(group)
                    .isEqualTo(expected);
        }
    }

    @Test
    void whatIsNoApiNeedsNoToken() {
        Api nobody = withToken(null);

        for (String path : List.of(
                "/q/health",
                "/q/health/live",
                "/q/health/ready",
                "/q/health/started",
                "/q/openapi",
                "/q/openapi?format=json",
                "/q/metrics")) {
            outsideTheApi(nobody, path).then().statusCode(200);
        }
        outsideTheApi(nobody, "/nothing").then().statusCode(404);
    }

    @Test
    void aBadTokenIsNoReasonToRefuseHealth() {
        outsideTheApi(withToken("garbage"), "/q/health/live").then().statusCode(oneOf(200, 401));
        outsideTheApi(withToken(null), "/q/health/live").then().statusCode(200);
    }
}
