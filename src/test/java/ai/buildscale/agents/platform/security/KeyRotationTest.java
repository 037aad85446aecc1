package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Issuer;
import ai.buildscale.agents.testing.SigningKey;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.smallrye.mutiny.Uni;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When the issuer is asked for its keys, and what becomes of tokens meanwhile. */
class KeyRotationTest {
    private static final SigningKey A = SigningKey.of("a", "ES256");
    private static final SigningKey B = SigningKey.of("b", "ES256");
    private static final SigningKey C = SigningKey.of("c", "ES256");
    private static final SigningKey NOBODY = SigningKey.of("nobody", "ES256");
    private static final Duration RETRY = Duration.ofSeconds(5);

    private final AtomicLong nanos = new AtomicLong();
    private final AtomicInteger asked = new AtomicInteger();
    private volatile KeySource page = published(A);
    private final IssuerKeys keys = new IssuerKeys(this::answer, Duration.ofMinutes(1), RETRY, nanos::get);
    private final TokenVerifier verifier = new TokenVerifier(
            keys,
            new TokenCheck(
                    DevKeys.ISSUER,
                    Set.of(DevKeys.AUDIENCE),
                    CallerClaimsTest.claims(DevKeys.ISSUER, Map.of()),
                    Clock.systemUTC()));

    private Uni<String> answer() {
        asked.incrementAndGet();
        return page.read();
    }

    private static KeySource published(SigningKey... keys) {
        ArrayNode all = Api.JSON.createArrayNode();
        for (SigningKey key : keys) {
            all.add(key.jwk());
        }
        JsonNode set = Api.JSON.createObjectNode().set("keys", all);
        return () -> Uni.createFrom().item(set.toString());
    }

    private static KeySource away() {
        return () -> Uni.createFrom().failure(new IOException("away"));
    }

    private void later(Duration time) {
        nanos.addAndGet(time.toNanos());
    }

    private Verified verify(SigningKey key) {
        return verifier.verify(key.sign(Issuer.claims())).await().atMost(Duration.ofSeconds(10));
    }

    private void assertTaken(SigningKey key) {
        assertThat(verify(key)).isNotNull();
    }

    private void assertRefused(SigningKey key, ProblemType type, String why) {
        assertThatExceptionOfType(Problem.class)
                .isThrownBy(() -> verify(key))
                .withMessageContaining(why)
                .satisfies(problem -> assertThat(problem.type()).isEqualTo(type));
    }

    private void assertUnknown(SigningKey key) {
        assertRefused(key, ProblemType.INVALID_TOKEN, "unknown key");
    }

    @Test
    void aKeyThatIsRotatedInIsTakenWhateverUnknownNamesCameBefore() {
        assertTaken(A);
        assertUnknown(NOBODY);
        page = published(A, B);

        later(RETRY);
        assertTaken(B);
        assertTaken(A);
    }

    @Test
    void rotationsInARowAreEachTaken() {
        assertTaken(A);
        for (SigningKey next : List.of(B, C, SigningKey.of("d", "ES256"))) {
            later(RETRY);
            page = published(A, next);
            assertTaken(next);
        }
    }

    @Test
    void theFirstUnknownNameAfterAWhileIsWorthAQuestionAtOnce() {
        assertTaken(A);
        later(RETRY);
        page = published(B);

        assertTaken(B);
        assertUnknown(A);
        assertThat(asked).hasValue(2);
    }

    @Test
    void aFloodOfUnknownNamesIsNoFloodForTheIssuerAndBlocksNoRotation() {
        assertTaken(A);
        for (int second = 0; second < 20; second++) {
            for (int i = 0; i < 20; i++) {
                assertUnknown(NOBODY.named("nobody-" + second + "-" + i));
            }
            later(Duration.ofSeconds(1));
        }
        assertThat(asked.get()).isBetween(4, 5);

        page = published(B);
        later(RETRY);
        assertTaken(B);
    }

    @Test
    void badSignaturesAndTokensWithoutANameAskNoOftener() {
        assertTaken(A);
        for (int i = 0; i < 20; i++) {
            assertRefused(NOBODY.named("a"), ProblemType.INVALID_TOKEN, "signature");
            assertRefused(NOBODY.named(null), ProblemType.INVALID_TOKEN, "signature");
        }
        assertThat(asked).hasValue(1);
    }

    @Test
    void aKeyThatIsReplacedUnderItsNameIsTaken() {
        assertTaken(A);
        page = published(B.named("a"));

        later(RETRY);
        assertTaken(B.named("a"));
    }

    @Test
    void keysWithoutNamesAreRotatedToo() {
        page = published(A.named(null));
        assertTaken(A.named(null));
        page = published(B.named(null));

        later(RETRY);
        assertTaken(B.named(null));
    }

    @Test
    void isAskedOnceForAllThatWaitMeanwhile() throws Exception {
        CompletableFuture<String> later = new CompletableFuture<>();
        page = () -> Uni.createFrom().completionStage(later);
        List<CompletableFuture<Verified>> waiting = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            waiting.add(verifier.verify(A.sign(Issuer.claims())).subscribeAsCompletionStage());
        }
        await().until(() -> asked.get() == 1);

        later.complete(published(A).read().await().indefinitely());
        for (CompletableFuture<Verified> one : waiting) {
            assertThat(one.get()).isNotNull();
        }
        assertThat(asked).hasValue(1);
    }

    @Test
    void whileTheIssuerIsAwayTheKnownKeysGoOn() {
        assertTaken(A);
        page = away();
        later(Duration.ofHours(3));

        assertRefused(NOBODY, ProblemType.UNAVAILABLE, "keys of its issuer cannot be fetched");
        assertTaken(A);
        assertRefused(NOBODY.named("a"), ProblemType.INVALID_TOKEN, "signature");

        page = published(A, B);
        later(RETRY);
        assertTaken(B);
        assertUnknown(NOBODY);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "<html><body>Please log in</body></html>",
                "{",
                "[]",
                "null",
                "{\"keys\":null}",
                "{\"keys\":{}}",
                "{\"error\":\"later\"}",
                "{\"jwks_uri\":\"https://issuer.example/keys\"}",
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                "-----BEGIN NOTHING-----"
            })
    void whatIsNoAnswerAtFirstHealsByItself(String answer) {
        page = () -> Uni.createFrom().item(answer);
        assertRefused(A, ProblemType.UNAVAILABLE, "keys of its issuer cannot be fetched");

        page = published(A);
        later(Duration.ofSeconds(1));
        assertTaken(A);
    }

    @Test
    void asLongAsNothingIsKnownCallersWaitForTheNextQuestion() {
        page = away();
        assertRefused(A, ProblemType.UNAVAILABLE, "keys of its issuer cannot be fetched");
        page = published(A);

        assertTaken(A);
        assertThat(asked).hasValue(2);
    }

    @Test
    void anIssuerWithoutKeysHasAnsweredAndIsAskedAgain() {
        page = published();
        assertUnknown(A);
        page = published(A);

        later(RETRY);
        assertTaken(A);
    }

    @Test
    void operatorsAreToldHowManyKeysThereAreAndHowOldTheyAre() {
        SimpleMeterRegistry metrics = new SimpleMeterRegistry();
        keys.measure(metrics);
        page = away();
        later(Duration.ofMinutes(2));
        assertRefused(A, ProblemType.UNAVAILABLE, "keys of its issuer cannot be fetched");
        assertMeasured(metrics, 0, Duration.ofMinutes(2));

        page = published(A, B);
        assertTaken(A);
        assertMeasured(metrics, 2, Duration.ZERO);

        page = () -> Uni.createFrom().item("<html><body>Please log in</body></html>");
        later(Duration.ofHours(2));
        keys.ask().await().indefinitely();
        assertTaken(A);
        assertMeasured(metrics, 2, Duration.ofHours(2));

        // that it has withdrawn all of them is an answer
        page = published();
        later(RETRY);
        keys.ask().await().indefinitely();
        assertMeasured(metrics, 0, Duration.ZERO);
    }

    private static void assertMeasured(SimpleMeterRegistry metrics, int known, Duration age) {
        assertThat(metrics.get("issuer.keys").gauge().value()).isEqualTo(known);
        assertThat(metrics.get("issuer.keys.age").gauge().value()).isEqualTo((double) age.toSeconds());
    }

    @Test
    void whatAWithdrawnKeyHasSignedHoldsNoLonger() {
        page = published(A, B);
        Verified token = verify(A);
        assertThat(verifier.holds(token)).isTrue();

        later(RETRY);
        keys.ask().await().indefinitely();
        assertThat(verifier.holds(token)).isTrue();

        page = published(B);
        later(RETRY);
        keys.ask().await().indefinitely();
        assertThat(verifier.holds(token)).isFalse();
        assertUnknown(A);
    }
}
