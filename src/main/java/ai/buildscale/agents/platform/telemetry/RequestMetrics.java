package ai.buildscale.agents.platform.telemetry;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.core.instrument.config.MeterFilterReply;
import io.micrometer.core.instrument.distribution.DistributionStatisticConfig;
import io.vertx.core.http.impl.HttpServerRequestInternal;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Configures the metrics of requests and connections: with buckets for percentiles, and no label that callers make up.
 */
public class RequestMetrics {
    /** The path of a request that no endpoint was found for; in metrics and traces alike. */
    static final String UNMATCHED = "/unmatched";

    /** What Quarkus calls an endpoint's path once it has found it. */
    private static final String TEMPLATE = "UrlPathTemplate";

    private static final String REQUESTS = "http.server.requests";
    private static final Set<String> METHODS =
            Set.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT");
    private static final double[] BUCKETS = Stream.of(5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)
            .mapToDouble(millis -> Duration.ofMillis(millis).toNanos())
            .toArray();

    /** Of all pools of one name they show the first, which is one event loop's. */
    private static final Set<String> MISLEADING =
            Set.of("sql.pool.active", "sql.pool.idle", "sql.pool.ratio", "sql.pool.queue.size");

    /** To be called before anything else: until an endpoint is found, each path would be a label of its own. */
    public static void unmatched(HttpServerRequestInternal request) {
        String path = request.path();
        // those are not measured
        if (path == null || !path.startsWith("/q/")) {
            request.context().putLocal(TEMPLATE, UNMATCHED);
        }
    }

    @Produces
    @Singleton
    MeterFilter filter() {
        return new MeterFilter() {
            // a path that cannot be decoded is turned away before anybody looks at it; no endpoint's has a percent
            @Override
            public Meter.Id map(Meter.Id id) {
                return isRequest(id)
                                && id.getTag("uri") != null
                                && id.getTag("uri").contains("%")
                        ? id.replaceTags(Tags.of(id.getTags()).and("uri", UNMATCHED))
                        : id;
            }

            @Override
            public MeterFilterReply accept(Meter.Id id) {
                return MISLEADING.contains(id.getName()) || (isRequest(id) && isMadeUp(id.getTag("method")))
                        ? MeterFilterReply.DENY
                        : MeterFilterReply.NEUTRAL;
            }

            @Override
            public DistributionStatisticConfig configure(Meter.Id id, DistributionStatisticConfig config) {
                return isRequest(id)
                        ? DistributionStatisticConfig.builder()
                                .serviceLevelObjectives(BUCKETS)
                                .build()
                                .merge(config)
                        : config;
            }
        };
    }

    private static boolean isMadeUp(String method) {
        return method != null && !METHODS.contains(method);
    }

    private static boolean isRequest(Meter.Id id) {
        return id.getName().equals(REQUESTS);
    }
}
