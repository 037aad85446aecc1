package ai.buildscale.agents.engine.llm;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.config.EnvConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LlmConfigTest {
    @Test
    void hasModelsByAnyName() {
        LlmConfig config = LlmFixture.config(Map.of(
                "llm.models.\"llama3.2:3b\".provider", "ollama",
                "llm.models.\"gpt-5-mini\".provider", "openai",
                "llm.models.\"gpt-5-mini\".timeout", "5S"));

        assertThat(config.models()).containsOnlyKeys("llama3.2:3b", "gpt-5-mini");
        assertThat(config.models().get("gpt-5-mini").timeout()).isEqualTo(Duration.ofSeconds(5));
        assertThat(config.models().get("llama3.2:3b").timeout()).isEqualTo(Duration.ofSeconds(30));
        assertThat(config.models().get("llama3.2:3b").retries()).isEqualTo(2);
    }

    @Test
    void hasNoneUnlessTold() {
        assertThat(LlmFixture.config(Map.of()).models()).isEmpty();
    }

    @Test
    void takesPlainNamesFromTheEnvironment() {
        LlmConfig config = new SmallRyeConfigBuilder()
                .addDiscoveredConverters()
                .withMapping(LlmConfig.class)
                .withSources(new EnvConfigSource(
                        Map.of(
                                "LLM_MODELS_SMALL_PROVIDER", "openai",
                                "LLM_MODELS_SMALL_MODEL", "gpt-5-mini",
                                "LLM_MODELS_SMALL_BASE_URL", "https://example.org/v1",
                                "LLM_MODELS_SMALL_API_KEY", "secret"),
                        300))
                .build()
                .getConfigMapping(LlmConfig.class);

        assertThat(config.models()).containsOnlyKeys("small");
        assertThat(config.models().get("small").model()).contains("gpt-5-mini");
        assertThat(config.models().get("small").baseUrl()).contains("https://example.org/v1");
        assertThat(config.models().get("small").apiKey()).contains("secret");
    }
}
