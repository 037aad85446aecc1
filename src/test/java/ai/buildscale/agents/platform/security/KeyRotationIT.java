package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Issuer;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SigningKey;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An issuer that changes its keys; the service asks for them oftener here than it does usually. */
class KeyRotationIT {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final SigningKey NOBODY = SigningKey.of("nobody", "ES256");

    private static Issuer issuer;
    private static Service service;

    @BeforeAll
    static void start() {
        issuer = Issuer.at(0, Issuer.text(200, "<html><body>Please log in</body></html>"));
        service = Service.start(Map.of(
                "JWT_KEYS", issuer.address(),
                "JWT_KEYS_REFRESH", "1S",
                "jwt.keys-retry", "0.5S"));
        SigningKey key = SigningKey.of("first", "RS256");
        // nobody can be told anything yet, and it heals by itself
        get(key).expectProblem(503, "UNAVAILABLE");
        issuer.answer(Issuer.text(200, "{\"keys\":[]}"));
        awaitStatus(key, 401);
        issuer.publish(key);
        awaitStatus(key, 200);
    }

    @AfterAll
    static void stop() {
        service.close();
        issuer.close();
    }

    private static Api.Reply get(SigningKey key) {
        return send(key.sign(Issuer.claims()));
    }

    private static Api.Reply send(String token) {
        return Api.withToken(service, UUID.randomUUID(), token).get("/workspaces");
    }

    private static void awaitStatus(SigningKey key, int status) {
        await().atMost(SOON).until(() -> get(key).status() == status);
    }

    @ParameterizedTest
    @ValueSource(strings = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
    void keysOfAnyKindAreTakenSeveralAtOnce(String algorithm) {
        SigningKey before = SigningKey.of("before", "ES256");
        SigningKey after = SigningKey.of("after", algorithm);
        issuer.publish(before, after, SigningKey.of("another", "RS256"), SigningKey.of("one more", "EdDSA"));

        awaitStatus(after, 200);
        get(before).expect(200);
        get(after.named("before")).expectProblem(401, "INVALID_TOKEN");
        get(after.named("nobody")).expectProblem(401, "INVALID_TOKEN");
        get(after.named(null)).expect(200);
    }

    @Test
    void aStrayNameFromAnybodyDoesNotBlockARotation() {
        SigningKey a = SigningKey.of("a", "RS256");
        SigningKey b = SigningKey.of("b", "RS256");
        issuer.publish(a);
        awaitStatus(a, 200);
        for (int i = 0; i < 50; i++) {
            get(NOBODY.named("nobody-" + i)).expectProblem(401, "INVALID_TOKEN");
        }

        issuer.publish(a, b);
        awaitStatus(b, 200);
        get(a).expect(200);
        SigningKey c = SigningKey.of("c", "RS256");
        issuer.publish(a, b, c);
        awaitStatus(c, 200);
    }

    @Test
    void aKeyThatIsWithdrawnEndsItsTokensAlsoThoseThatWereSeen() {
        SigningKey stays = SigningKey.of("stays", "ES256");
        SigningKey goes = SigningKey.of("goes", "ES256");
        issuer.publish(stays, goes);
        awaitStatus(goes, 200);
        String token = goes.sign(Issuer.claims());
        send(token).expect(200);

        issuer.publish(stays);
        await().atMost(SOON).until(() -> send(token).status() == 401);
        get(stays).expect(200);
    }

    @Test
    void theKnownKeysGoOnWhileTheIssuerIsAway() {
        SigningKey known = SigningKey.of("known", "ES256");
        issuer.publish(known);
        awaitStatus(known, 200);
        int before = issuer.asked();

        issuer.answer(Issuer.text(503, ""));
        await().atMost(SOON).until(() -> issuer.asked() > before + 2);
        get(known).expect(200);
        assertThat(get(NOBODY).expectProblem(503, "UNAVAILABLE").get("detail").asText())
                .contains("keys of its issuer")
                .doesNotContain("database");

        issuer.publish(known);
        awaitStatus(NOBODY, 401);
    }
}
