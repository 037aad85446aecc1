package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.llm.http.ModelFailure;
import io.smallrye.faulttolerance.api.CustomBackoffStrategy;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Computes the wait before a request is retried: about twice as long each time, but not less than the provider asked
 * for.
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
        // between half of it and one and a half, so that those who failed together do not come back together
        long own = next / 2 + ThreadLocalRandom.current().nextLong(next + 1);
        next *= 2;
        return asked > 0 ? asked + ThreadLocalRandom.current().nextLong(asked / 4 + 1) : own;
    }
}
