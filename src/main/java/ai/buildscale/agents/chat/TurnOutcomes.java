package ai.buildscale.agents.chat;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Counts the outcomes of turns. */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class TurnOutcomes {
    private final Map<String, Counter> counters;

    TurnOutcomes(MeterRegistry metrics) {
        this.counters = Stream.of("done", "failed", "stopped", "waiting", "paused", "parked", "spent")
                .collect(Collectors.toMap(
                        Function.identity(), outcome -> metrics.counter("chat.turns", "outcome", outcome)));
    }

    /** What a host elsewhere returns is left for the next owner, as what a server parks. */
    void count(String outcome) {
        counters.get(outcome.equals("returned") ? "parked" : outcome).increment();
    }
}
