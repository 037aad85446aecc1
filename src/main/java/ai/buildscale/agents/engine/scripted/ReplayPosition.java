package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.EntryKind;
import ai.buildscale.agents.engine.Turn.HistoryEntry;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * The position up to which a turn has been played already; consumes a script step by step, and returns the rest of each
 * step.
 */
final class ReplayPosition {
    private final Map<EntryKind, Integer> done = new EnumMap<>(EntryKind.class);
    private int charactersLeft;
    private boolean silent = true;

    ReplayPosition(Turn turn) {
        charactersLeft = turn.answerSoFar().length();
        for (HistoryEntry entry : turn.done()) {
            done.merge(entry.kind(), 1, Integer::sum);
        }
    }

    /** Empty if the step was played. The first chunk comes without a pause: pauses are between chunks. */
    Optional<ScriptStep> restOf(ScriptStep step) {
        return switch (step) {
            case ScriptStep.Emits(Output.Chunk(String text), Duration silence) -> restOf(text, silence);
            case ScriptStep.Emits(Output.Thought _, Duration _) -> unless(take(EntryKind.THOUGHT), step);
            case ScriptStep.Emits(Output.Call _, Duration _) -> {
                take(EntryKind.CALL);
                // a call without its observation is made again
                yield unless(has(EntryKind.OBSERVATION), step);
            }
            case ScriptStep.Emits(Output.Observation _, Duration _) -> unless(take(EntryKind.OBSERVATION), step);
            case ScriptStep.Emits(Output.Question _, Duration _) -> unless(take(EntryKind.QUESTION), step);
            case ScriptStep.Emits _, ScriptStep.Silence _, ScriptStep.Fails _ -> unless(liesAhead(), step);
        };
    }

    /** Whether the last question of the script has an answer. */
    boolean isAnswered() {
        return take(EntryKind.ANSWER);
    }

    private Optional<ScriptStep> restOf(String text, Duration silence) {
        int known = Math.min(charactersLeft, text.length());
        charactersLeft -= known;
        if (known == text.length()) {
            return Optional.empty();
        }
        Duration pause = silent ? Duration.ZERO : silence;
        silent = false;
        return Optional.of(new ScriptStep.Emits(new Output.Chunk(text.substring(known)), pause));
    }

    /** Whether the replay has not reached the turn's progress yet: until then, steps without a trace were played. */
    private boolean liesAhead() {
        return charactersLeft > 0
                || has(EntryKind.THOUGHT)
                || has(EntryKind.CALL)
                || has(EntryKind.OBSERVATION)
                || has(EntryKind.QUESTION);
    }

    private boolean has(EntryKind kind) {
        return done.getOrDefault(kind, 0) > 0;
    }

    private boolean take(EntryKind kind) {
        boolean has = has(kind);
        if (has) {
            done.merge(kind, -1, Integer::sum);
        }
        return has;
    }

    private static Optional<ScriptStep> unless(boolean done, ScriptStep step) {
        return done ? Optional.empty() : Optional.of(step);
    }
}
