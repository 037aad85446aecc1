package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Issuer;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SigningKey;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.security.KeyPair;
import java.time.Instant;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said to those whose token is not taken: what is wrong with it, and how it would be right. */
class TokenRefusalsIT {
    private static final Service SERVICE = Service.shared();
    private static final SigningKey KEY =
            new SigningKey(null, "RS256", new KeyPair(null, Tokens.keys().privateKey()));
    private static final String EVENTS = "/workspaces/" + UUID.randomUUID() + "/chats/" + UUID.randomUUID() + "/events";

    private static String signed(Consumer<ObjectNode> change) {
        ObjectNode claims = Issuer.claims();
        change.accept(claims);
        return KEY.sign(claims);
    }

    private static Api.Reply send(String path, String token) {
        return Api.withToken(SERVICE, null, token).get(path);
    }

    /** The sentence of a refusal, which stands in the problem document and in the header. */
    private static String refusal(Api.Reply reply) {
        JsonNode problem = reply.expectProblem(401, "INVALID_TOKEN");
        String detail = problem.get("detail").asText();
        assertThat(problem.get("error").asText()).isEqualTo(detail);
        assertThat(reply.header("www-authenticate"))
                .isEqualTo("Bearer error=\"invalid_token\", error_description=\"" + detail + "\"");
        return detail;
    }

    static Stream<Arguments> refused() {
        long now = Instant.now().getEpochSecond();
        SigningKey another = SigningKey.of("another", "RS256");
        return Stream.of(
                Arguments.of("has expired", signed(c -> c.put("exp", now - 2))),
                Arguments.of("has no exp", signed(c -> c.remove("exp"))),
                Arguments.of("exp is not a time", signed(c -> c.put("exp", "tomorrow"))),
                Arguments.of("not yet valid: its nbf", signed(c -> c.put("nbf", now + 120))),
                Arguments.of("not yet valid: its iat", signed(c -> c.put("iat", now + 120))),
                Arguments.of("another audience: aud", signed(c -> c.put("aud", "others"))),
                Arguments.of("no audience", signed(c -> c.remove("aud"))),
                Arguments.of("another issuer: iss", signed(c -> c.put("iss", "https://others.example"))),
                Arguments.of("sub must be a UUID", signed(c -> c.put("sub", "auth0|5f7c"))),
                Arguments.of("sub is missing", signed(c -> c.remove("sub"))),
                Arguments.of("groups must be a list", signed(c -> c.put("groups", true))),
                Arguments.of(
                        "alg is not accepted",
                        KEY.sign(Api.JSON.createObjectNode().put("alg", "none"), "{}")),
                Arguments.of("unknown key", SigningKey.of("elliptic", "ES256").sign(Issuer.claims())),
                Arguments.of("signature is not valid", another.sign(Issuer.claims())),
                Arguments.of("malformed", "undefined"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void aRefusalSaysWhatIsWrongWithTheToken(String words, String token) {
        assertThat(refusal(send("/workspaces", token))).contains(words).doesNotContain(token);
        assertThat(refusal(send(EVENTS, token))).contains(words);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/workspaces", "/nowhere", "/agent-hosts"})
    void whoSendsNoTokenIsToldHow(String path) {
        Api.Reply reply = send(path, null);

        assertThat(reply.expectProblem(401, "INVALID_TOKEN").get("detail").asText())
                .contains("Authorization: Bearer <JWT>")
                .doesNotContain("stream_token");
        assertThat(reply.header("www-authenticate")).isEqualTo("Bearer");
    }

    @Test
    void whoOpensAStreamIsToldOfStreamTokens() {
        for (String path : new String[] {EVENTS, "/workspaces/" + UUID.randomUUID() + "/events"}) {
            Api.Reply reply = send(path, null);

            assertThat(reply.expectProblem(401, "INVALID_TOKEN").get("detail").asText())
                    .contains("Authorization: Bearer <JWT>", "?stream_token=", "POST /api/v1/stream-tokens");
            assertThat(reply.header("www-authenticate")).isEqualTo("Bearer");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "undefined", "%00", "eyJhbGciOiJub25lIn0.e30."})
    void aStreamTokenThatIsNotGoodMayHaveExpired(String token) {
        assertThat(refusal(send(EVENTS + "?stream_token=" + token, null)))
                .contains("stream token has expired", "POST /api/v1/stream-tokens");
    }
}
