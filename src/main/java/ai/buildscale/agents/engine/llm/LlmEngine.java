package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Engine;
import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.arc.All;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.mutiny.Multi;
import io.vertx.core.Vertx;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.List;
import org.jboss.logging.Logger;

/** The LLM engine computes turns with large language models of OpenAI-compatible servers and of Ollama. */
@ApplicationScoped
class LlmEngine implements Engine {
    private static final Logger LOG = Logger.getLogger(LlmEngine.class);

    private final LlmConfig config;
    private final Vertx vertx;
    private final Models models;
    private final Toolbox tools;

    LlmEngine(LlmConfig config, Vertx vertx, MeterRegistry metrics, @All List<Tool> tools) {
        this.config = config;
        this.vertx = vertx;
        this.models = new Models(config, vertx, metrics);
        this.tools = new Toolbox(tools, config.toolTimeout());
    }

    /** Observes the start, so that a model with invalid settings keeps the service from starting. */
    void start(@Observes StartupEvent event) {
        if (!models.names().isEmpty()) {
            LOG.infof("models: %s", String.join(", ", models.names()));
        }
    }

    @Override
    public boolean serves(String model) {
        return models.has(model);
    }

    @Override
    public Multi<Output> think(Turn turn) {
        return Multi.createFrom().deferred(() -> outputs(turn));
    }

    private Multi<Output> outputs(Turn turn) {
        if (!serves(turn.model())) {
            String message = "There is no model " + turn.model() + ".";
            return Multi.createFrom().failure(new EngineFailure(message, false, null));
        }
        return new ToolLoop(turn, models.get(turn.model()), tools, vertx.getOrCreateContext(), config).outputs();
    }

    @PreDestroy
    void close() {
        models.close();
    }
}
