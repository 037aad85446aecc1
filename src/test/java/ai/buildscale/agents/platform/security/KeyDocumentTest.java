package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.SigningKey;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What issuers publish, and what of it can be used. */
class KeyDocumentTest {
    private static final SigningKey GOOD = SigningKey.of("good", "RS256");
    private static final SigningKey ELLIPTIC = SigningKey.of("elliptic", "ES256");

    private static String jwks(JsonNode... keys) {
        ArrayNode all = Api.JSON.createArrayNode();
        List.of(keys).forEach(all::add);
        return Api.JSON.createObjectNode().set("keys", all).toString();
    }

    private static KeyDocument read(String text) throws IOException {
        return KeyDocument.read(text);
    }

    private static JsonNode changed(SigningKey key, Consumer<ObjectNode> change) {
        ObjectNode jwk = key.jwk();
        change.accept(jwk);
        return jwk;
    }

    static Stream<Arguments> unusable() {
        return Stream.of(
                Arguments.of("for encryption", changed(GOOD, k -> k.put("use", "enc"))),
                Arguments.of("for another use", changed(GOOD, k -> k.put("use", 5))),
                Arguments.of(
                        "for other operations",
                        changed(GOOD, k -> k.putArray("key_ops").add("encrypt"))),
                Arguments.of("of an algorithm that encrypts", changed(GOOD, k -> k.put("alg", "RSA-OAEP"))),
                Arguments.of("of an algorithm that does not fit", changed(GOOD, k -> k.put("alg", "ES256"))),
                Arguments.of(
                        "a shared secret",
                        Api.JSON.createObjectNode().put("kty", "oct").put("k", "AAAA")),
                Arguments.of("of an unknown type", changed(GOOD, k -> k.put("kty", "AKP"))),
                Arguments.of("of no type", changed(GOOD, k -> k.remove("kty"))),
                Arguments.of("of an unknown curve", changed(ELLIPTIC, k -> k.put("crv", "P-999"))),
                Arguments.of("of a curve of others", changed(ELLIPTIC, k -> k.put("crv", "secp256k1"))),
                Arguments.of(
                        "for key agreement",
                        Api.JSON
                                .createObjectNode()
                                .put("kty", "OKP")
                                .put("crv", "X25519")
                                .put("x", "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo")),
                Arguments.of("without a part", changed(ELLIPTIC, k -> k.remove("y"))),
                Arguments.of("with a part that is a number", changed(GOOD, k -> k.put("n", 5))),
                Arguments.of("with a part that is no Base64", changed(GOOD, k -> k.put("n", "***"))),
                Arguments.of("with an empty part", changed(GOOD, k -> k.put("n", ""))),
                Arguments.of(
                        "of 1,024 bits",
                        SigningKey.bare(SigningKey.rsa(1_024).getPublic()).put("kid", "weak")),
                Arguments.of("null", Api.JSON.nullNode()),
                Arguments.of("a text", Api.JSON.getNodeFactory().textNode("key")),
                Arguments.of("a list", Api.JSON.createArrayNode()),
                Arguments.of("nothing", Api.JSON.createObjectNode()));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("unusable")
    void aKeyThatCannotBeUsedDoesNotSpoilTheOthers(String name, JsonNode key) throws IOException {
        KeyDocument document = read(jwks(key, GOOD.jwk(), key, ELLIPTIC.jwk()));

        assertThat(document.keys().answeringTo(null))
                .extracting(IssuerKey::id)
                .containsExactlyInAnyOrder("good", "elliptic");
        assertThat(document.leftOut()).hasSize(1);
    }

    @Test
    void whatStandsBesideAKeyIsNotNeeded() throws IOException {
        ObjectNode talkative =
                GOOD.jwk().put("x5t", 5).put("x5u", "http://nowhere.example").put("d", "not to be told");
        talkative.putArray("x5c").add("no certificate");
        talkative.putArray("key_ops").add("verify").add("sign");
        talkative.putNull("exp");

        assertThat(read(jwks(talkative))
                        .keys()
                        .hasTheKeysOf(read(jwks(GOOD.jwk())).keys()))
                .isTrue();
    }

    @Test
    void keysMayHaveNoNameOrTheSameOrOneThatIsNoText() throws IOException {
        KeySet keys = read(jwks(
                        GOOD.named(null).jwk(),
                        ELLIPTIC.named("same").jwk(),
                        SigningKey.of("same", "EdDSA").jwk(),
                        SigningKey.of("x", "ES384").jwk().put("kid", 7)))
                .keys();

        assertThat(keys.answeringTo("same")).hasSize(4);
        assertThat(keys.answeringTo("other")).hasSize(2);
        assertThat(keys.answeringTo(null)).hasSize(4);
    }

    @Test
    void theOrderOfKeysIsNoChange() throws IOException {
        KeySet keys = read(jwks(GOOD.jwk(), ELLIPTIC.jwk())).keys();

        assertThat(keys.hasTheKeysOf(read(jwks(ELLIPTIC.jwk(), GOOD.jwk())).keys()))
                .isTrue();
        assertThat(keys.hasTheKeysOf(read(jwks(GOOD.jwk())).keys())).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"RS256", "ES256", "ES384", "ES512", "EdDSA"})
    void pemIsReadWhateverTheType(String algorithm) throws IOException {
        SigningKey key = SigningKey.of(null, algorithm);
        SigningKey another = SigningKey.of(null, "ES256");

        assertThat(read(key.pem()).keys().answeringTo(null))
                .containsExactly(new IssuerKey(null, null, key.pair().getPublic()));
        assertThat(read("# for now\r\n" + key.pem().replace("\n", "\r\n") + another.pem())
                        .keys()
                        .answeringTo(null))
                .hasSize(2);
    }

    @Test
    void aSingleJwkIsRead() throws IOException {
        assertThat(read(GOOD.jwk().toString()).keys().size()).isEqualTo(1);
    }

    @Test
    void privateKeysAndShortOnesInPemAreNoKeys() {
        SigningKey shorter = new SigningKey(null, "RS256", SigningKey.rsa(1_024));

        assertThatIOException().isThrownBy(() -> read(shorter.pem())).withMessageContaining("fewer than 2048 bits");
        assertThatIOException().isThrownBy(() -> read(GOOD.pem().replace("PUBLIC", "PRIVATE")));
    }
}
