package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import ai.buildscale.agents.platform.http.StrictJson;
import ai.buildscale.agents.platform.telemetry.TraceSpan;
import ai.buildscale.agents.session.AgentType;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

/** Builds a scripted engine on timers of the test, and turns for it. */
final class ScriptedFixture {
    static final UUID TURN = UUID.fromString("00000000-0000-7000-8000-000000000001");
    static final UUID EARLIER = UUID.fromString("00000000-0000-7000-8000-000000000002");
    static final Duration PACE = Duration.ofMillis(20);
    static final ObjectMapper JSON = json();

    final ManualTimers timers = new ManualTimers();
    final ScriptedEngine engine = new ScriptedEngine(timers.vertx(), JSON, () -> PACE);

    /** All that a turn gives until it is over; timers run out as soon as they are set. */
    record Played(List<Output> outputs, Throwable failure) {
        String text() {
            return outputs.stream()
                    .filter(Output.Chunk.class::isInstance)
                    .map(output -> ((Output.Chunk) output).text())
                    .collect(Collectors.joining());
        }
    }

    Played play(Turn turn) {
        List<Output> heard = new ArrayList<>();
        TurnSubscriber listener = new TurnSubscriber(heard::add);
        engine.think(turn).subscribe(listener);
        listener.request(Long.MAX_VALUE);
        while (!listener.isOver()) {
            timers.runOut();
        }
        return new Played(heard, listener.failure());
    }

    Played play(String message) {
        return play(turn(AgentType.ASSISTANT, message));
    }

    static Turn turn(AgentType type, String message) {
        return turn(type, message, List.of());
    }

    static Turn turn(AgentType type, String message, List<HistoryEntry> before) {
        List<HistoryEntry> history = new ArrayList<>(before);
        history.add(new HistoryEntry(TURN, EntryKind.USER, message, "{}"));
        return turn(type, null, history, "", 1);
    }

    static Turn turn(AgentType type, String goal, List<HistoryEntry> history, String said, int attempt) {
        UUID chat = new UUID(0, 1);
        return new Turn(
                TURN, chat, chat, type, type.defaultMode(), "scripted", goal, history, said, attempt, TraceSpan.NONE);
    }

    /** The turn with more behind it. */
    static Turn after(Turn turn, List<HistoryEntry> done, String said) {
        List<HistoryEntry> history = new ArrayList<>(turn.history());
        history.addAll(done);
        return turn(turn.agentType(), turn.goal(), history, turn.answerSoFar() + said, turn.attempt());
    }

    static HistoryEntry entry(EntryKind kind, String text) {
        return new HistoryEntry(TURN, kind, text, "{}");
    }

    private static ObjectMapper json() {
        ObjectMapper mapper = new ObjectMapper();
        new StrictJson().customize(mapper);
        return mapper;
    }
}
