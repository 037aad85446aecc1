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

/** Settings of the models, of retries and of circuit breakers. */
@ConfigMapping(prefix = "llm")
public interface LlmConfig {
    /** The models by the names that sessions use. */
    Map<String, ModelSettings> models();

    /** The requests that a turn may send to its model before it must have an answer. */
    @WithDefault("16")
    @WithConverter(IntRange.Positive.class)
    int rounds();

    /** The number of earlier turns of the chat that a model sees. */
    @WithDefault("50")
    @WithConverter(IntRange.Natural.class)
    int history();

    /** How long a tool may take. */
    @WithDefault("60S")
    Duration toolTimeout();

    /** The number of requests open to one provider at once; as many again may be queued. */
    @WithDefault("500")
    @WithConverter(IntRange.Positive.class)
    int connections();

    /** The approximate delay before the first retry of a request; twice as long before the next. */
    @WithDefault("0.5S")
    Duration retryDelay();

    /** The longest {@code Retry-After} of a provider that is waited for; beyond it the request fails. */
    @WithDefault("20S")
    Duration retryAfterLimit();

    Breaker breaker();

    /** Settings of a model and of the provider that serves it. */
    interface ModelSettings {
        Provider provider();

        /** The base URL of the provider's API; the provider's usual URL by default. */
        Optional<String> baseUrl();

        Optional<String> apiKey();

        /** The provider's name of the model; the same name by default. */
        Optional<String> model();

        Optional<Double> temperature();

        /** The longest completion of one request. */
        OptionalInt maxTokens();

        /** The longest silence: before the first token, and between two tokens. */
        @WithDefault("30S")
        Duration timeout();

        /** How long a turn may take, its tools included. */
        @WithDefault("10M")
        Duration turnTimeout();

        /** The retries of a request that failed transiently before the first token of its answer. */
        @WithDefault("2")
        @WithConverter(IntRange.Natural.class)
        int retries();
    }

    /** Settings of the circuit breaker of a model. */
    interface Breaker {
        /** The number of last requests that count. */
        @WithDefault("10")
        @WithConverter(IntRange.Positive.class)
        int requests();

        /** The share of failed requests at which the breaker opens. */
        @WithDefault("0.5")
        @WithConverter(Ratio.class)
        double failureRatio();

        /** The time until an open breaker lets one request try again. */
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

    /** The provider whose protocol a model's server speaks. */
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
