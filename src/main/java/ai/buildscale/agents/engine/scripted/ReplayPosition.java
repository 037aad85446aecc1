package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import ai.buildscale.agents.engine.Turn;
import ai.buildscale.agents.engine.Turn.Entry;
import ai.buildscale.agents.engine.Turn.Kind;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * The position up to which a turn has been played already; its script, shown to it step by step, learns what is left
 * of each.
 */
final class ReplayPosition {
    private final Map<Kind, Integer> done = new EnumMap<>(Kind.class);
    private int said;
    private boolean silent = true;

    ReplayPosition(Turn turn) {
        said = turn.said().length();
        for (Entry entry : turn.done()) {
            done.merge(entry.kind(), 1, Integer::sum);
        }
    }

    /** Empty if nothing is left of it. The first chunk comes without a pause: pauses are between chunks. */
    Optional<ScriptStep> restOf(ScriptStep beat) {
        return switch (beat) {
            case ScriptStep.Gives(Output.Chunk(String text), Duration silence) -> restOf(text, silence);
            case ScriptStep.Gives(Output.Thought _, Duration _) -> unless(take(Kind.THOUGHT), beat);
            case ScriptStep.Gives(Output.Call _, Duration _) -> {
                take(Kind.CALL);
                // without its observation it is made again
                yield unless(has(Kind.OBSERVATION), beat);
            }
            case ScriptStep.Gives(Output.Observation _, Duration _) -> unless(take(Kind.OBSERVATION), beat);
            case ScriptStep.Gives(Output.Question _, Duration _) -> unless(take(Kind.QUESTION), beat);
            case ScriptStep.Gives _, ScriptStep.Silence _, ScriptStep.Fails _ -> unless(liesAhead(), beat);
        };
    }

    /** Whether the question that it was shown last is. */
    boolean isAnswered() {
        return take(Kind.ANSWER);
    }

    private Optional<ScriptStep> restOf(String text, Duration silence) {
        int known = Math.min(said, text.length());
        said -= known;
        if (known == text.length()) {
            return Optional.empty();
        }
        Duration pause = silent ? Duration.ZERO : silence;
        silent = false;
        return Optional.of(new ScriptStep.Gives(new Output.Chunk(text.substring(known)), pause));
    }

    /** Whether the point that the turn has reached is still to come: what leaves no trace has been done before it. */
    private boolean liesAhead() {
        return said > 0 || has(Kind.THOUGHT) || has(Kind.CALL) || has(Kind.OBSERVATION) || has(Kind.QUESTION);
    }

    private boolean has(Kind kind) {
        return done.getOrDefault(kind, 0) > 0;
    }

    private boolean take(Kind kind) {
        boolean has = has(kind);
        if (has) {
            done.merge(kind, -1, Integer::sum);
        }
        return has;
    }

    private static Optional<ScriptStep> unless(boolean done, ScriptStep beat) {
        return done ? Optional.empty() : Optional.of(beat);
    }
}
