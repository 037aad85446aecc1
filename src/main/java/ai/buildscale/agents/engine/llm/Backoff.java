package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.llm.http.ModelFailure;
import io.smallrye.faulttolerance.api.CustomBackoffStrategy;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Computes the delay before a request is retried: about twice as long each time, and never shorter than the provider
 * demands.
 */
final class Backoff implements CustomBackoffStrategy {
    private long next;

    Backoff(Duration first) {
        this.next = first.toMillis();
    }

    @Override
    public long nextDelayInMillis(Throwable reason) {
        long asked =
                reason instanceof ModelFailure failure ? failure.retryAfter().toMillis() : 0;
        // jitter, so that requests that failed together are not retried together
        long own = next / 2 + ThreadLocalRandom.current().nextLong(next + 1);
        next *= 2;
        return asked > 0 ? asked + ThreadLocalRandom.current().nextLong(asked / 4 + 1) : own;
    }
}
