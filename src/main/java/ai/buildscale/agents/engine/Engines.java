package ai.buildscale.agents.engine;

import ai.buildscale.agents.platform.problem.Problem;
import io.quarkus.arc.All;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Optional;

/** Finds the engine that serves a model. */
@ApplicationScoped
public class Engines {
    private final List<Engine> engines;

    Engines(@All List<Engine> engines) {
        this.engines = engines;
    }

    public Optional<Engine> find(String model) {
        return engines.stream().filter(engine -> engine.serves(model)).findFirst();
    }

    /** @throws Problem {@code VALIDATION_ERROR} if no engine serves the model */
    public void require(String model) {
        if (find(model).isEmpty()) {
            throw Problem.invalid("model", "is not served here; name one that is configured, or scripted");
        }
    }
}
