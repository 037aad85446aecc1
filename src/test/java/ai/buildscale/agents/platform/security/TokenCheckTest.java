package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowable;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.SigningKey;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which tokens are good, and what is said of those that are not. */
class TokenCheckTest {
    private static final String ISSUER = "https://issuer.example/realms/one";
    private static final UUID USER = UUID.fromString("0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d");
    private static final Instant NOW = Instant.parse("2026-05-04T03:02:01.500Z");
    private static final long SECOND = NOW.getEpochSecond();
    private static final SigningKey KEY = SigningKey.of("one", "ES256");
    private static final SigningKey RSA = SigningKey.of("rsa", "RS256");
    private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();

    private final KeySet keys = new KeySet(Set.of(published(KEY), published(RSA)));

    private static String part(String json) {
        return BASE64.encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    private static IssuerKey published(SigningKey key) {
        return new IssuerKey(key.id(), key.algorithm(), key.pair().getPublic());
    }

    private static TokenCheck at(Instant now) {
        return new TokenCheck(
                ISSUER,
                Set.of("this-service", "another-name-of-it"),
                CallerClaimsTest.claims(ISSUER, Map.of()),
                Clock.fixed(now, ZoneOffset.UTC));
    }

    private static ObjectNode claims() {
        return Api.JSON
                .createObjectNode()
                .put("iss", ISSUER)
                .put("aud", "this-service")
                .put("sub", USER.toString())
                .put("iat", SECOND)
                .put("exp", SECOND + 600);
    }

    private static ObjectNode claims(Consumer<ObjectNode> change) {
        ObjectNode claims = claims();
        change.accept(claims);
        return claims;
    }

    private Caller take(String token) {
        return at(NOW).caller(token, keys);
    }

    private Caller take(Consumer<ObjectNode> change) {
        return take(KEY.sign(claims(change)));
    }

    private void assertRefused(String token, String why) {
        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> take(token))
                .withMessageContaining(why)
                .satisfies(refused -> assertThat(refused.getMessage())
                        .doesNotContain(USER.toString())
                        .matches("[ -~&&[^\"\\\\]]+"));
    }

    private void assertRefused(Consumer<ObjectNode> change, String why) {
        assertRefused(KEY.sign(claims(change)), why);
    }

    @Test
    void takesAGoodTokenUntilItsEndAndASecond() {
        Caller caller = take(KEY.sign(claims(c -> c.putArray("groups").add("admin"))));

        assertThat(caller).isEqualTo(new Caller(USER, Set.of("admin"), Instant.ofEpochSecond(SECOND + 601)));
    }

    @ParameterizedTest
    @CsvSource({"-3600,false", "-2,false", "-1,false", "0,true", "1,true", "600,true"})
    void anEndHasASecondOfLeeway(long seconds, boolean good) {
        Consumer<ObjectNode> change = c -> c.put("exp", SECOND + seconds);
        if (good) {
            assertThat(take(change).expiresAt()).isAfter(NOW);
        } else {
            assertRefused(change, "expired");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"nbf", "iat"})
    void aBeginningHasHalfAMinuteOfLeeway(String claim) {
        for (long seconds : List.of(-3_600L, 0L, 3L, 29L, 30L)) {
            take(c -> c.put(claim, SECOND + seconds));
        }
        for (long seconds : List.of(31L, 60L, 3_600L)) {
            assertRefused(c -> c.put(claim, SECOND + seconds), "not yet valid: its " + claim);
        }
        String token = KEY.sign(claims(c -> c.put(claim, SECOND + 60)));
        assertThat(at(NOW.plus(Duration.ofSeconds(30))).caller(token, keys)).isNotNull();
    }

    @Test
    void aBeginningNeedNotBeTold() {
        take(c -> c.remove("iat"));
        take(c -> c.putNull("iat").putNull("nbf"));
    }

    @Test
    void aTimeMayHaveAFraction() {
        take(c -> c.put("exp", SECOND + 0.75).put("iat", SECOND + 0.25).put("nbf", SECOND - 0.5));
        assertRefused(c -> c.put("exp", SECOND - 0.75), "expired");
    }

    static Stream<Arguments> noTimes() {
        String values = "-1 -1.5 1e300 1e999 -1e999 99999999999999999999999 9223372036854775807 253402300800"
                + " true [] {\"a\":1} \"\" \"" + SECOND + "\" [" + SECOND + "] " + SECOND * 1_000;
        return Stream.of("exp", "nbf", "iat")
                .flatMap(claim -> Stream.of(values.split(" ")).map(value -> Arguments.of(claim, value)));
    }

    @ParameterizedTest
    @MethodSource("noTimes")
    void aTimeThatIsNoneIsRefusedByItsName(String claim, String value) {
        assertRefused(c -> c.putRawValue(claim, new RawValue(value)), "The token's " + claim + " is not a time");
    }

    @Test
    void aTokenMustEnd() {
        assertRefused(c -> c.remove("exp"), "has no exp");
        assertRefused(c -> c.putNull("exp"), "has no exp");
        assertThat(take(c -> c.put("exp", 4_000_000_000L)).expiresAt()).isAfter(NOW);
    }

    @Test
    void theAudienceMayBeAListOfWhichOneIsThisService() {
        take(c -> c.put("aud", "another-name-of-it"));
        take(c -> c.putArray("aud").add("account").add("this-service"));
        take(c -> c.putArray("aud").add(5).add("this-service"));
        for (Consumer<ObjectNode> change : List.<Consumer<ObjectNode>>of(
                c -> c.put("aud", "another"),
                c -> c.put("aud", "This-Service"),
                c -> c.put("aud", "this-service another"),
                c -> c.put("aud", ""),
                c -> c.put("aud", 5),
                c -> c.put("aud", true),
                c -> c.putArray("aud").add("a").add("b"),
                c -> c.putArray("aud").addNull(),
                c -> c.putObject("aud").put("this-service", true))) {
            assertRefused(change, "another audience: aud");
        }
        for (Consumer<ObjectNode> change :
                List.<Consumer<ObjectNode>>of(c -> c.remove("aud"), c -> c.putNull("aud"), c -> c.putArray("aud"))) {
            assertRefused(change, "has no aud");
        }
    }

    @Test
    void theIssuerMustBeTheSameToTheLetter() {
        for (String issuer : List.of(ISSUER + "/", ISSUER.toUpperCase(java.util.Locale.ROOT), "", " " + ISSUER)) {
            assertRefused(c -> c.put("iss", issuer), "another issuer: iss");
        }
        assertRefused(c -> c.remove("iss"), "another issuer: iss");
        assertRefused(c -> c.put("iss", 5), "another issuer: iss");
        assertRefused(c -> c.putArray("iss").add(ISSUER), "another issuer: iss");
        assertRefused(
                SigningKey.of("of-others", "RS256").sign(claims(c -> c.put("iss", "https://elsewhere.example"))),
                "another issuer: iss");
    }

    @Test
    void theUserIsNamedInTheRefusal() {
        assertRefused(c -> c.remove("sub"), "sub is missing");
        assertRefused(c -> c.put("sub", "auth0|5f7c"), "sub must be a UUID");
        assertRefused(c -> c.put("groups", 5), "groups must be a list");
    }

    static Stream<String> malformed() {
        String good = KEY.sign(claims());
        String[] parts = good.split("\\.", -1);
        return Stream.of(
                "",
                ".",
                "..",
                "...",
                "garbage",
                "a.b.c",
                "undefined",
                "null",
                good + ".",
                good + "=",
                good + "." + parts[2],
                parts[0] + "." + parts[1],
                parts[0] + "." + parts[1] + ".",
                "." + parts[1] + "." + parts[2],
                parts[0] + ".." + parts[2],
                good.replace('.', ' '),
                good + " ",
                "Bearer " + good,
                "\u00e4." + parts[1] + "." + parts[2],
                part("[]") + "." + parts[1] + "." + parts[2],
                part("{\"alg\":\"ES256\",\"alg\":\"none\"}") + "." + parts[1] + "." + parts[2],
                parts[0] + "." + part("[]") + "." + parts[2],
                parts[0] + "." + part("null") + "." + parts[2],
                parts[0] + "." + part("{\"sub\":1,\"sub\":2}") + "." + parts[2],
                parts[0] + "." + part("[".repeat(5_000)) + "." + parts[2],
                parts[0] + "." + part("{\"a\":".repeat(3_000)) + "." + parts[2]);
    }

    @ParameterizedTest
    @MethodSource("malformed")
    void whatIsNoSignedJwtIsCalledMalformed(String token) {
        assertRefused(token, "malformed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "None", "HS256", "HS512", "ES256K", "RS1", "rs256", "eddsa", "", "RS256 "})
    void anAlgorithmOfOthersIsCalledThat(String algorithm) {
        ObjectNode header = Api.JSON.createObjectNode().put("alg", algorithm).put("kid", "one");

        assertRefused(KEY.sign(header, claims().toString()), "alg is not accepted");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"alg\":null}", "{\"alg\":5}", "{\"alg\":[\"ES256\"]}"})
    void noAlgorithmIsNoneThatIsAccepted(String header) throws Exception {
        assertRefused(KEY.sign(Api.JSON.readTree(header), claims().toString()), "alg is not accepted");
    }

    @Test
    void aPublicKeyIsNoSharedSecret() throws GeneralSecurityException {
        for (String algorithm : List.of("HS256", "RS256", "ES256")) {
            String content =
                    part(("{\"alg\":\"" + algorithm + "\",\"kid\":\"rsa\"}")) + "." + part(claims().toString());
            for (byte[] secret :
                    List.of(RSA.pair().getPublic().getEncoded(), RSA.pem().getBytes(StandardCharsets.US_ASCII))) {
                Mac mac = Mac.getInstance("HmacSHA256");
                mac.init(new SecretKeySpec(secret, "HmacSHA256"));

                assertRefused(
                        content + "." + BASE64.encodeToString(mac.doFinal(content.getBytes(StandardCharsets.US_ASCII))),
                        "The token's ");
            }
        }
    }

    @Test
    void theAlgorithmMustBeTheKeys() {
        assertRefused(RSA.with("PS256").sign(claims()), "alg is not one of the key");
        assertRefused(RSA.with("RS512").sign(claims()), "alg is not one of the key");
        assertRefused(RSA.named("one").sign(claims()), "alg is not one of the key");
        assertRefused(KEY.named("rsa").sign(claims()), "alg is not one of the key");
        assertRefused(RSA.with("PS256").named(null).sign(claims()), "unknown key");
    }

    @Test
    void aKeyWithoutAnAlgorithmIsForAllOfItsType() {
        KeySet open = new KeySet(Set.of(
                new IssuerKey("rsa", null, RSA.pair().getPublic()),
                new IssuerKey("one", null, KEY.pair().getPublic())));

        for (String algorithm : List.of("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")) {
            assertThat(at(NOW).caller(RSA.with(algorithm).sign(claims()), open)).isNotNull();
        }
        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> at(NOW).caller(KEY.with("ES384").sign(claims()), open))
                .withMessageContaining("alg is not one of the key");
    }

    @Test
    void aKeyIsFoundByItsNameAmongSeveralOfTheSame() {
        SigningKey twin = SigningKey.of("one", "ES256");
        SigningKey third = SigningKey.of("one", "EdDSA");
        KeySet several = new KeySet(Set.of(published(KEY), published(twin), published(third), published(RSA)));

        for (SigningKey key : List.of(KEY, twin, third, RSA)) {
            assertThat(at(NOW).caller(key.sign(claims()), several)).isNotNull();
            assertThat(at(NOW).caller(key.named(null).sign(claims()), several)).isNotNull();
        }
    }

    @Test
    void aKeyWithoutANameGoesWithAnyNameOfAToken() {
        KeySet nameless = new KeySet(Set.of(published(KEY.named(null))));

        assertThat(at(NOW).caller(KEY.sign(claims()), nameless)).isNotNull();
        assertThat(at(NOW).caller(KEY.named(null).sign(claims()), nameless)).isNotNull();
        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> at(NOW).caller(SigningKey.of("x", "ES256").sign(claims()), nameless))
                .withMessageContaining("signature is not valid");
    }

    @Test
    void anotherKeyIsUnknownOrItsSignatureIsNotValid() {
        SigningKey another = SigningKey.of("two", "ES256");

        assertRefused(another.sign(claims()), "unknown key");
        assertRefused(another.named("one").sign(claims()), "signature is not valid");
        assertRefused(another.named(null).sign(claims()), "signature is not valid");
        assertRefused(SigningKey.of(null, "EdDSA").sign(claims()), "unknown key");
        String good = KEY.sign(claims());
        assertRefused(good.substring(0, good.length() - 4) + "AAAA", "signature is not valid");
        assertRefused(good.substring(0, good.length() - 80), "signature is not valid");
        String others = KEY.sign(claims(c -> c.put("sub", UUID.randomUUID().toString())));
        assertRefused(
                others.substring(0, others.lastIndexOf('.')) + good.substring(good.lastIndexOf('.')),
                "signature is not valid");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"alg\":\"ES256\",\"kid\":5}",
                "{\"alg\":\"ES256\",\"kid\":[\"one\"]}",
                "{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":[\"b64\"],\"b64\":false}",
                "{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":[\"exp\"],\"exp\":1}",
                "{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":\"x\"}"
            })
    void aHeaderThatAsksForMoreIsRefused(String header) throws Exception {
        assertRefused(KEY.sign(Api.JSON.readTree(header), claims().toString()), "The token");
    }

    @Test
    void whateverStandsInAClaimIsTakenOrRefused() {
        List<String> values = List.of(
                "null",
                "true",
                "5",
                "-5.5",
                "1e400",
                "\"\"",
                "\"\\u0000\"",
                "\"\\ud800\"",
                "[]",
                "[null]",
                "[[]]",
                "[{}]",
                "{}",
                "{\"a\":null}",
                "\"" + "x".repeat(5_000) + "\"",
                "[" + "\"x\",".repeat(500) + "null]");
        for (String claim : List.of("iss", "aud", "sub", "exp", "nbf", "iat", "groups", "jti", "", "x/y")) {
            for (String value : values) {
                String token = KEY.sign(claims(c -> c.putRawValue(claim, new RawValue(value))));
                assertThat(catchThrowable(() -> take(token)))
                        .as(claim + " " + value)
                        .satisfiesAnyOf(
                                nothing -> assertThat(nothing).isNull(),
                                refused -> assertThat(refused).isInstanceOf(Refused.class));
            }
        }
    }

    @Test
    void keysThatATokenBringsAreNotLookedAt() {
        SigningKey own = SigningKey.of("one", "ES256");
        ObjectNode header = Api.JSON
                .createObjectNode()
                .put("alg", "ES256")
                .put("kid", "one")
                .put("jku", "http://127.0.0.1:1/jwks")
                .put("x5u", "http://127.0.0.1:1/x5u");
        header.set("jwk", own.jwk());

        assertRefused(own.sign(header, claims().toString()), "signature is not valid");
        assertThat(take(KEY.sign(header, claims().toString()))).isNotNull();
    }
}
