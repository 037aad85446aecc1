package ai.buildscale.agents.platform.security;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import io.micrometer.core.instrument.MeterRegistry;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import io.vertx.core.Vertx;
import java.time.Clock;
import java.util.Set;

/** Verifies tokens with the issuer's known keys; if they do not fit, it asks the issuer first. */
public final class TokenVerifier {
    private final IssuerKeys keys;
    private final TokenCheck check;

    /**
     * @param location where the keys are
     * @throws IllegalArgumentException if keys cannot be there
     */
    public TokenVerifier(
            Vertx vertx, String location, String issuer, Set<String> audiences, TokenConfig config, Clock clock) {
        this(
                new IssuerKeys(
                        KeySource.of(vertx, location), config.keysRefresh(), config.keysRetry(), System::nanoTime),
                new TokenCheck(issuer, audiences, new CallerClaims(config, issuer), clock));
    }

    TokenVerifier(IssuerKeys keys, TokenCheck check) {
        this.keys = keys;
        this.check = check;
    }

    public void start(Vertx vertx, MeterRegistry metrics) {
        keys.measure(metrics);
        keys.start(vertx);
    }

    public void stop() {
        keys.stop();
    }

    /**
     * Emits on another thread than the caller's, which is not held meanwhile.
     *
     * <p>Problems: {@code INVALID_TOKEN} with the reason; {@code UNAVAILABLE} if it cannot be told, because the issuer's
     * keys do not come.
     */
    public Uni<Verified> verify(String token) {
        KeySet known = keys.known();
        return verify(token, known)
                .onFailure(Refused.class)
                .recoverWithUni(refused -> again(token, known, refused))
                .onFailure(Refused.class)
                .transform(refused -> Problem.refused(refused.getMessage()));
    }

    private Uni<Verified> verify(String token, KeySet with) {
        return Uni.createFrom()
                .item(() -> new Verified(check.caller(token, with), with))
                .runSubscriptionOn(Infrastructure.getDefaultWorkerPool());
    }

    private Uni<Verified> again(String token, KeySet known, Refused refused) {
        if (refused.reason() == Refused.Reason.TOKEN) {
            return Uni.createFrom().failure(refused);
        }
        return keys.ask().chain(() -> {
            if (keys.known() != known) {
                return verify(token, keys.known());
            }
            boolean unclear = refused.reason() == Refused.Reason.UNKNOWN_KEY && !keys.answered();
            return Uni.createFrom().failure(unclear ? keysAreAway() : refused);
        });
    }

    private static Problem keysAreAway() {
        return new Problem(
                        ProblemType.UNAVAILABLE,
                        "The token cannot be checked right now: the keys of its issuer cannot be fetched")
                .retryAfter(5);
    }

    /** Whether it would be found good now too, but for its end. */
    public boolean holds(Verified verified) {
        return verified.keys() == keys.known();
    }
}
