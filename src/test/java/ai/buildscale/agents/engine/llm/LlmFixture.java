package ai.buildscale.agents.engine.llm;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.session.AgentType;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import io.smallrye.mutiny.helpers.test.AssertSubscriber;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

/** Builds an LLM engine with one model, {@code test-model}, of a fake provider, and turns for it. */
final class LlmFixture implements AutoCloseable {
    static final String MODEL = "test-model";
    static final Duration SOON = Duration.ofSeconds(10);
    static final Clock CLOCK = Clock.fixed(Instant.parse("2026-05-04T03:02:01Z"), ZoneOffset.UTC);

    final SimpleMeterRegistry metrics = new SimpleMeterRegistry();
    final LlmEngine engine;
    private final Vertx vertx = Vertx.vertx();

    /**
     * @param settings more than the provider and its address, as {@code llm.rounds}, or {@code timeout} of the model
     * @param tools instead of the time
     */
    LlmFixture(String provider, String baseUrl, Map<String, String> settings, Tool... tools) {
        Map<String, String> all = new HashMap<>(
                Map.of(model("provider"), provider, model("base-url"), baseUrl, "llm.retry-delay", "PT0.01S"));
        settings.forEach((name, value) -> all.put(name.startsWith("llm.") ? name : model(name), value));
        List<Tool> given = tools.length > 0 ? List.of(tools) : List.of(new CurrentTime(CLOCK));
        this.engine = new LlmEngine(config(all), vertx, metrics, given);
    }

    private static String model(String setting) {
        return "llm.models.\"" + MODEL + "\"." + setting;
    }

    static LlmConfig config(Map<String, String> properties) {
        return new SmallRyeConfigBuilder()
                .addDiscoveredConverters()
                .withMapping(LlmConfig.class)
                .withSources(new PropertiesConfigSource(properties, "test", 100))
                .build()
                .getConfigMapping(LlmConfig.class);
    }

    AssertSubscriber<Output> think(Turn turn) {
        return engine.think(turn).subscribe().withSubscriber(AssertSubscriber.create(Long.MAX_VALUE));
    }

    /** Thinks to the end of this part of the turn. */
    List<Output> outputs(Turn turn) {
        return think(turn).awaitCompletion(SOON).getItems();
    }

    Throwable failure(Turn turn) {
        return think(turn).awaitFailure(SOON).getFailure();
    }

    double count(String metric, String... tags) {
        var counter = metrics.find(metric).tags(tags).counter();
        return counter == null ? 0 : counter.count();
    }

    /** All that was said, whatever its pieces. */
    static String said(List<Output> outputs) {
        return outputs.stream()
                .filter(Output.Chunk.class::isInstance)
                .map(output -> ((Output.Chunk) output).text())
                .collect(Collectors.joining());
    }

    /** A fresh turn of an assistant that was said this to. */
    static Turn turn(String words) {
        return turn(AgentType.ASSISTANT, words);
    }

    static Turn turn(AgentType type, String words) {
        UUID id = UUID.randomUUID();
        return new Turn(
                id,
                UUID.randomUUID(),
                UUID.randomUUID(),
                type,
                type.defaultMode(),
                MODEL,
                null,
                List.of(new HistoryEntry(id, EntryKind.USER, words, "{}")),
                "",
                1,
                TraceSpan.NONE);
    }

    /** The same turn as it is taken up again, after this was done and said. */
    static Turn again(Turn turn, String said, HistoryEntry... done) {
        List<HistoryEntry> history = new ArrayList<>(turn.history());
        history.addAll(List.of(done));
        return new Turn(
                turn.id(),
                turn.sessionId(),
                turn.chatId(),
                turn.agentType(),
                turn.mode(),
                turn.model(),
                turn.goal(),
                history,
                said,
                turn.attempt() + 1,
                turn.span());
    }

    /** The same turn, traced within this. */
    static Turn within(TraceSpan span, Turn turn) {
        return new Turn(
                turn.id(),
                turn.sessionId(),
                turn.chatId(),
                turn.agentType(),
                turn.mode(),
                turn.model(),
                turn.goal(),
                turn.history(),
                turn.answerSoFar(),
                turn.attempt(),
                span);
    }

    static HistoryEntry call(Turn turn, int n, String tool, String args, int offset) {
        JsonObject data = new JsonObject()
                .put("call_id", turn.callId(n))
                .put("args", new JsonObject(args))
                .put("offset", offset);
        return new HistoryEntry(turn.id(), EntryKind.CALL, tool, data.encode());
    }

    static HistoryEntry observation(Turn turn, int n, String output) {
        JsonObject data = new JsonObject().put("call_id", turn.callId(n)).put("success", true);
        return new HistoryEntry(turn.id(), EntryKind.OBSERVATION, output, data.encode());
    }

    static HistoryEntry question(Turn turn, String id, String words) {
        JsonObject data = new JsonObject().put("question_id", id).put("schema", new JsonObject());
        return new HistoryEntry(turn.id(), EntryKind.QUESTION, words, data.encode());
    }

    static HistoryEntry answer(Turn turn, String id, String json) {
        return new HistoryEntry(
                turn.id(),
                EntryKind.ANSWER,
                json,
                new JsonObject().put("question_id", id).encode());
    }

    @Override
    public void close() {
        engine.close();
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }
}
