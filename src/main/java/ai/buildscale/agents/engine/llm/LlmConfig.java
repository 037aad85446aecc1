package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.platform.IntRange;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithConverter;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.eclipse.microprofile.config.spi.Converter;

/** Settings of models, and of what is done when one of them fails. */
@ConfigMapping(prefix = "llm")
public interface LlmConfig {
    /** By the name that sessions ask for. */
    Map<String, ModelSettings> models();

    /** How often a turn may go to its model before it must have come to an answer. */
    @WithDefault("16")
    @WithConverter(IntRange.Positive.class)
    int rounds();

    /** How many earlier turns of its chat a model is told. */
    @WithDefault("50")
    @WithConverter(IntRange.Natural.class)
    int history();

    /** How long a tool may take. */
    @WithDefault("60S")
    Duration toolTimeout();

    /** How many requests may be open to one provider at once; as many again wait for their turn. */
    @WithDefault("500")
    @WithConverter(IntRange.Positive.class)
    int connections();

    /** What is waited before the first repeat of a request, about; twice as long before the next. */
    @WithDefault("0.5S")
    Duration retryDelay();

    /** The longest that a provider may ask to be left alone before a request is repeated; if longer, it fails. */
    @WithDefault("20S")
    Duration retryAfterLimit();

    Breaker breaker();

    /** A model, and the provider that serves it. */
    interface ModelSettings {
        Provider provider();

        /** The address below which the provider's API lies; the provider's usual one where it is not set. */
        Optional<String> baseUrl();

        Optional<String> apiKey();

        /** The provider's name for it; the same name where it is not set. */
        Optional<String> model();

        Optional<Double> temperature();

        /** The longest answer of one request. */
        OptionalInt maxTokens();

        /** How long it may be silent: before its first token, and between two. */
        @WithDefault("30S")
        Duration timeout();

        /** How long a turn may take, its tools included. */
        @WithDefault("10M")
        Duration turnTimeout();

        /** How often a request is repeated that failed in passing, before the first token of its answer. */
        @WithDefault("2")
        @WithConverter(IntRange.Natural.class)
        int retries();
    }

    /** When a model that fails is left alone. */
    interface Breaker {
        /** The last requests that count. */
        @WithDefault("10")
        @WithConverter(IntRange.Positive.class)
        int requests();

        /** How many of them have failed when it is left alone. */
        @WithDefault("0.5")
        @WithConverter(Ratio.class)
        double failureRatio();

        /** For how long, until one request tries again. */
        @WithDefault("15S")
        Duration delay();

        /** Bounds of {@link #failureRatio}. */
        class Ratio implements Converter<Double> {
            @Override
            public Double convert(String value) {
                double ratio = Double.parseDouble(value.strip());
                if (ratio >= 0 && ratio <= 1) {
                    return ratio;
                }
                throw new IllegalArgumentException("must be a number from 0 to 1");
            }
        }
    }

    /** Whose protocol it speaks. */
    enum Provider {
        OPENAI("https://api.openai.com/v1"),
        OLLAMA("http://localhost:11434");

        private final String usualUrl;

        Provider(String usualUrl) {
            this.usualUrl = usualUrl;
        }

        String usualUrl() {
            return usualUrl;
        }
    }
}
