package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.GenAi;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.llm.http.ModelFailure;
import ai.buildscale.agents.engine.llm.http.ModelFailure.FailureKind;
import ai.buildscale.agents.engine.llm.http.VertxLlmHttpClient;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import dev.langchain4j.http.client.HttpClientBuilder;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.ollama.OllamaStreamingChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import io.smallrye.faulttolerance.api.TypedGuard;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.http.HttpClient;
import jakarta.enterprise.util.TypeLiteral;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.function.Supplier;
import org.eclipse.microprofile.faulttolerance.exceptions.CircuitBreakerOpenException;

/** A configured model: sends its requests, retries transient failures and guards it with a circuit breaker. */
final class Model {
    private final FailureLog failureLog;
    private final String name;
    private final LlmConfig.ModelSettings settings;
    private final String baseUrl;
    private final Duration retryAfterLimit;
    private final HttpClient http;
    private final ModelMetrics metrics;
    private final TypedGuard<Uni<CompletionStream>> guard;

    Model(String name, LlmConfig.ModelSettings settings, LlmConfig config, HttpClient http, ModelMetrics metrics) {
        this.failureLog = new FailureLog(Model.class, "the model " + name + " fails", Duration.ofMinutes(1));
        this.name = name;
        this.settings = settings;
        this.baseUrl = checked(settings.baseUrl().orElse(settings.provider().usualUrl()));
        this.retryAfterLimit = config.retryAfterLimit();
        this.http = http;
        this.metrics = metrics;
        this.guard = guard(config);
    }

    /** The message does not repeat the address, which may hold a password. */
    private String checked(String url) {
        try {
            URI uri = new URI(url);
            if (("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))
                    && uri.getHost() != null
                    && uri.getUserInfo() == null) {
                return url;
            }
        } catch (URISyntaxException _) {
            // the same problem as a URL that cannot be used
        }
        throw new IllegalArgumentException("llm.models.\"" + name
                + "\".base-url must be an http or https URL, without a user: keys are set with api-key");
    }

    private TypedGuard<Uni<CompletionStream>> guard(LlmConfig config) {
        LlmConfig.Breaker breaker = config.breaker();
        return TypedGuard.create(new TypeLiteral<Uni<CompletionStream>>() {})
                .withDescription("model " + name)
                .withCircuitBreaker()
                .when(reason -> ModelFailure.of(reason).kind().isTrouble())
                .requestVolumeThreshold(breaker.requests())
                .failureRatio(breaker.failureRatio())
                .delay(breaker.delay().toMillis(), ChronoUnit.MILLIS)
                .successThreshold(1)
                .done()
                .withRetry()
                .maxRetries(settings.retries())
                .maxDuration(0, ChronoUnit.MILLIS)
                .whenException(this::isWorthRepeating)
                .withCustomBackoff()
                .strategy(() -> new Backoff(config.retryDelay()))
                .done()
                .done()
                .build();
    }

    private boolean isWorthRepeating(Throwable reason) {
        return reason instanceof ModelFailure failure
                && failure.kind().isWorthRepeating()
                && failure.retryAfter().compareTo(retryAfterLimit) <= 0;
    }

    Duration turnTimeout() {
        return settings.turnTimeout();
    }

    /** The name that OpenTelemetry's conventions give the provider. */
    String provider() {
        return WireEnum.name(settings.provider());
    }

    /** Begins the span of a completion of this turn. */
    TraceSpan startSpan(Turn turn) {
        URI address = URI.create(baseUrl);
        int usualPort = address.getScheme().equals("https") ? 443 : 80;
        return GenAi.chat(turn, provider(), settings.model().orElse(name))
                .with("server.address", address.getHost())
                .with("server.port", address.getPort() < 0 ? usualPort : address.getPort());
    }

    /** A completion to be {@link CompletionStream#open opened}. */
    CompletionStream completion(Context context, long deadline) {
        return new CompletionStream(
                this, context, new VertxLlmHttpClient(http, context, settings.timeout(), deadline), metrics.request());
    }

    /** Opens the completion of the first attempt that succeeds. */
    Uni<CompletionStream> open(Supplier<Uni<CompletionStream>> attempts) {
        return Uni.createFrom()
                .deferred(() -> guard.get(attempts))
                .onFailure(CircuitBreakerOpenException.class)
                .transform(this::breakerOpen)
                .invoke(failureLog::over)
                .onFailure(ModelFailure.class)
                .invoke(this::met);
    }

    private ModelFailure breakerOpen(Throwable reason) {
        metrics.breakerOpen();
        return new ModelFailure(FailureKind.SHUT, "it failed too often", reason);
    }

    private void met(Throwable reason) {
        if (((ModelFailure) reason).kind() != FailureKind.CANCELLED) {
            failureLog.met(reason);
        }
    }

    /** LangChain4j's model for one request, so that each request has an HTTP client of its own to cancel. */
    StreamingChatModel chat(HttpClientBuilder client) {
        return switch (settings.provider()) {
            case OPENAI -> openAi(client);
            case OLLAMA -> ollama(client);
        };
    }

    private StreamingChatModel openAi(HttpClientBuilder client) {
        var builder = OpenAiStreamingChatModel.builder()
                .httpClientBuilder(client)
                .baseUrl(baseUrl)
                .modelName(settings.model().orElse(name))
                .returnThinking(true)
                // some servers send a call's id with each fragment of it
                .accumulateToolCallId(false);
        settings.apiKey().ifPresent(builder::apiKey);
        settings.temperature().ifPresent(builder::temperature);
        // OpenAI's own models refuse the older name, other servers may not know the newer
        boolean own = baseUrl.startsWith(LlmConfig.Provider.OPENAI.usualUrl());
        settings.maxTokens().ifPresent(own ? builder::maxCompletionTokens : builder::maxTokens);
        return builder.build();
    }

    private StreamingChatModel ollama(HttpClientBuilder client) {
        var builder = OllamaStreamingChatModel.builder()
                .httpClientBuilder(client)
                .baseUrl(baseUrl)
                .modelName(settings.model().orElse(name))
                .returnThinking(true);
        settings.apiKey().ifPresent(key -> builder.customHeaders(Map.of("Authorization", "Bearer " + key)));
        settings.temperature().ifPresent(builder::temperature);
        settings.maxTokens().ifPresent(builder::numPredict);
        return builder.build();
    }
}
