package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.llm.http.ModelFailure;
import dev.langchain4j.model.output.TokenUsage;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;

/** Records the metrics of one model. */
final class ModelMetrics {
    private static final String OK = "ok";

    private final MeterRegistry registry;
    private final String model;
    private final Timer firstToken;

    ModelMetrics(MeterRegistry registry, String model) {
        this.registry = registry;
        this.model = model;
        this.firstToken = registry.timer("llm.first.token", "model", model);
        requests(OK);
        for (ModelFailure.FailureKind kind : ModelFailure.FailureKind.values()) {
            requests(kind.toString());
        }
        tokens("input", 0);
        tokens("output", 0);
    }

    Request request() {
        return new Request(Timer.start(registry));
    }

    /** Counts a request that was not sent because the breaker is open. */
    void breakerOpen() {
        requests(ModelFailure.FailureKind.SHUT.toString()).increment();
    }

    private Counter requests(String outcome) {
        return registry.counter("llm.requests", "model", model, "outcome", outcome);
    }

    private void tokens(String kind, Integer count) {
        registry.counter("llm.tokens", "model", model, "kind", kind).increment(count == null ? 0 : count);
    }

    /** Measures one request to the model. */
    final class Request {
        private final Timer.Sample sample;

        private Request(Timer.Sample sample) {
            this.sample = sample;
        }

        void answering() {
            sample.stop(firstToken);
        }

        void ended(TokenUsage usage) {
            requests(OK).increment();
            if (usage != null) {
                tokens("input", usage.inputTokenCount());
                tokens("output", usage.outputTokenCount());
            }
        }

        void failed(ModelFailure.FailureKind kind) {
            requests(kind.toString()).increment();
        }
    }
}
