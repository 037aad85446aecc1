package ai.buildscale.agents.platform.http;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.ws.rs.container.ContainerRequestContext;
import java.time.Duration;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.resteasy.reactive.server.ServerRequestFilter;

/**
 * Limits the requests of each caller: a token bucket for each user, on each server by itself; the bucket holds two
 * seconds' worth.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class RateLimit {
    private final int perSecond;
    private final Counter refused;
    private final Cache<UUID, Bucket> buckets = Caffeine.newBuilder()
            .maximumSize(100_000)
            .expireAfter(Expiry.accessing((UUID user, Bucket bucket) -> Duration.ofMinutes(1)))
            .build();

    RateLimit(@ConfigProperty(name = "limits.requests-per-second") int perSecond, MeterRegistry metrics) {
        this.perSecond = perSecond;
        this.refused = metrics.counter("requests.rate.limited");
    }

    @ServerRequestFilter
    public void admit(ContainerRequestContext request) {
        if (request.getSecurityContext().getUserPrincipal() instanceof Caller caller) {
            admit(caller.userId(), System.nanoTime());
        }
    }

    /**
     * Takes one token of the caller's bucket.
     *
     * @param now in {@link System#nanoTime}
     * @throws Problem {@code RATE_LIMITED} when it is empty, with the seconds after which one is there again
     */
    void admit(UUID userId, long now) {
        if (perSecond <= 0) {
            return;
        }
        Bucket bucket = buckets.get(userId, _ -> new Bucket(2 * perSecond, now));
        if (!bucket.take(now, perSecond)) {
            refused.increment();
            throw new Problem(
                            ProblemType.RATE_LIMITED,
                            "At most " + perSecond + " requests a second are served for one caller")
                    .retryAfter(1);
        }
    }

    private static final class Bucket {
        private final int capacity;
        private double tokens;
        private long filledAt;

        Bucket(int capacity, long now) {
            this.capacity = capacity;
            this.tokens = capacity;
            this.filledAt = now;
        }

        synchronized boolean take(long now, int perSecond) {
            tokens = Math.min(capacity, tokens + Math.max(0, now - filledAt) / 1e9 * perSecond);
            filledAt = now;
            if (tokens < 1) {
                return false;
            }
            tokens--;
            return true;
        }
    }
}
