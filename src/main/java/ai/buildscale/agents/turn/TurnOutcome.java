package ai.buildscale.agents.turn;

import java.util.UUID;
import java.util.stream.Stream;

/**
 * The outcome of a turn that its owner does not run any more: the turn is over ({@link Done}, {@link Failed}, {@link
 * Stopped}), or is left for later. The owner writes it, with its fencing token, as a {@link TurnClosing}.
 */
public sealed interface TurnOutcome {
    /** The turn's answer is complete. */
    record Done() implements TurnOutcome {}

    /** @param message for people; the session ends in error with it */
    record Failed(String message) implements TurnOutcome {}

    /** @param reason why, for people and machines; null where the session tells */
    record Stopped(String reason) implements TurnOutcome {}

    /**
     * The turn has asked and waits for the answer.
     *
     * @param schema the JSON schema of the answer; null for any
     */
    record Waiting(UUID question, String text, String schema) implements TurnOutcome {}

    /** The turn rests with its session. */
    record Paused(String reason) implements TurnOutcome {}

    /** The budget is used up, which pauses the session. */
    record Spent(String reason) implements TurnOutcome {
        public static final String TIME = "budget: its time is used up";
        public static final String TOKENS = "budget: its tokens are used up";
    }

    /** The turn is left at a safe point for the session's next owner. */
    record Parked() implements TurnOutcome {}

    /** The turn waits for the next host elsewhere, and its session rests. */
    record Returned() implements TurnOutcome {}

    /**
     * The outcome of that name, of those that have nothing to say but why.
     *
     * @param why the reason or the message, where the outcome has one
     */
    static TurnOutcome named(String ending, String why) {
        return plain(why)
                .filter(outcome -> outcome.ending().equals(ending))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no such outcome: " + ending));
    }

    private static Stream<TurnOutcome> plain(String why) {
        return Stream.of(
                new Done(),
                new Failed(why),
                new Stopped(why),
                new Paused(why),
                new Spent(why),
                new Parked(),
                new Returned());
    }

    /** The names under which the endings of turns are counted. */
    static Stream<String> names() {
        return Stream.concat(plain(null), Stream.of(new Waiting(null, null, null)))
                .map(TurnOutcome::counted)
                .distinct();
    }

    /** The name under which the outcome is counted: a turn that a host elsewhere returns counts as one that is parked. */
    default String counted() {
        return this instanceof Returned ? new Parked().ending() : ending();
    }

    /** The same outcome, with no more words than may be written. */
    default TurnOutcome limited() {
        return switch (this) {
            case Failed failed -> new Failed(TextLimits.words(failed.message()));
            case Waiting asked -> new Waiting(asked.question(), TextLimits.words(asked.text()), asked.schema());
            case Done _, Stopped _, Paused _, Spent _, Parked _, Returned _ -> this;
        };
    }

    /** The name of the outcome, in statements, metrics and traces. */
    default String ending() {
        return switch (this) {
            case Done _ -> "done";
            case Failed _ -> "failed";
            case Stopped _ -> "stopped";
            case Waiting _ -> "waiting";
            case Paused _ -> "paused";
            case Spent _ -> "spent";
            case Parked _ -> "parked";
            case Returned _ -> "returned";
        };
    }

    /** The state in which the outcome leaves the turn. */
    default TurnState state() {
        return switch (this) {
            case Done _ -> TurnState.DONE;
            case Failed _ -> TurnState.FAILED;
            case Stopped _ -> TurnState.STOPPED;
            case Waiting _ -> TurnState.WAITING;
            case Paused _, Spent _, Returned _ -> TurnState.PAUSED;
            case Parked _ -> TurnState.PARKED;
        };
    }

    /** Why, in a word or for people; null where the outcome says all. */
    default String why() {
        return switch (this) {
            case Done _, Parked _, Returned _ -> null;
            case Failed failed -> failed.message();
            case Stopped stopped -> stopped.reason();
            case Waiting waiting -> waiting.text();
            case Paused paused -> paused.reason();
            case Spent spent -> spent.reason();
        };
    }
}
