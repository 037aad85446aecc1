package ai.buildscale.agents.engine.llm;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.tracing.TracingPolicy;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Holds the models that this server is configured with, and their HTTP client. */
final class Models implements AutoCloseable {
    private final HttpClient http;
    private final Map<String, Model> models = new LinkedHashMap<>();

    /** @throws IllegalArgumentException if a model cannot be used as it is configured */
    Models(LlmConfig config, Vertx vertx, MeterRegistry metrics) {
        this.http = vertx.httpClientBuilder()
                .with(new PoolOptions().setHttp1MaxSize(config.connections()))
                // GenAi begins the spans of requests, and providers get no trace headers
                .with(new HttpClientOptions()
                        .setMaxWaitQueueSize(config.connections())
                        .setTracingPolicy(TracingPolicy.IGNORE))
                .build();
        config.models()
                .forEach((name, settings) ->
                        models.put(name, new Model(name, settings, config, http, new ModelMetrics(metrics, name))));
    }

    boolean has(String name) {
        return models.containsKey(name);
    }

    Set<String> names() {
        return models.keySet();
    }

    /** Returns a model that this server {@link #has}. */
    Model get(String name) {
        return models.get(name);
    }

    @Override
    public void close() {
        http.close();
    }
}
