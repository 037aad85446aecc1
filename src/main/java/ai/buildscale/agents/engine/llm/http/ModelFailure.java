package ai.buildscale.agents.engine.llm.http;

import ai.buildscale.agents.engine.EngineFailure;
import ai.buildscale.agents.platform.WireEnum;
import java.time.Duration;

/** A model failure ends a request to a model; its texts never contain a key or an address. */
public final class ModelFailure extends RuntimeException {
    /** The kind of a model failure: its text for people, and whether a retry makes sense. */
    public enum FailureKind {
        BUSY("The model %s is busy", true, true),
        UNAVAILABLE("The model %s is not available right now", true, true),
        /** The circuit breaker is open. */
        SHUT("The model %s is not available right now", true, false),
        SILENT("The model %s did not answer in time", true, false),
        STALLED("The model %s stopped in the middle of its answer", true, false),
        BROKEN("The connection to the model %s broke off in the middle of its answer", true, false),
        LATE("The model %s did not come to an end in time", true, false),
        DENIED("The model %s does not accept this service's key", false, false),
        REFUSED("The model %s refused the request", false, false),
        UNREADABLE("The model %s answered in a way that this service does not understand", false, false),
        CANCELLED("The model %s was stopped", true, false);

        private final String sentence;
        private final boolean passing;
        private final boolean worthRepeating;

        FailureKind(String sentence, boolean passing, boolean worthRepeating) {
            this.sentence = sentence;
            this.passing = passing;
            this.worthRepeating = worthRepeating;
        }

        /** The kind of the same failure after a part of the answer was streamed. */
        public FailureKind midStream() {
            return switch (this) {
                case SILENT -> STALLED;
                case UNAVAILABLE, BUSY -> BROKEN;
                default -> this;
            };
        }

        /** Whether the circuit breaker counts a failure of this kind: the model itself is in trouble. */
        public boolean isTrouble() {
            return passing && this != CANCELLED && this != LATE;
        }

        public boolean isWorthRepeating() {
            return worthRepeating;
        }

        @Override
        public String toString() {
            return WireEnum.name(this);
        }
    }

    private final FailureKind kind;
    private final transient Duration retryAfter;

    public ModelFailure(FailureKind kind, String detail) {
        this(kind, detail, null, null);
    }

    public ModelFailure(FailureKind kind, String detail, Throwable cause) {
        this(kind, detail, null, cause);
    }

    /** @param retryAfter the delay that the provider demands, or null */
    public ModelFailure(FailureKind kind, String detail, Duration retryAfter, Throwable cause) {
        super(detail, cause);
        this.kind = kind;
        this.retryAfter = retryAfter;
    }

    public static ModelFailure of(Throwable reason) {
        return reason instanceof ModelFailure failure
                ? failure
                : new ModelFailure(FailureKind.UNREADABLE, "the answer cannot be read", reason);
    }

    public FailureKind kind() {
        return kind;
    }

    public boolean isPassing() {
        return kind.passing;
    }

    /** Zero where the provider demands no delay. */
    public Duration retryAfter() {
        return retryAfter == null ? Duration.ZERO : retryAfter;
    }

    public ModelFailure midStream() {
        return kind.midStream() == kind ? this : new ModelFailure(kind.midStream(), getMessage(), getCause());
    }

    public EngineFailure explained(String model) {
        return new EngineFailure(kind.sentence.formatted(model) + ".", kind.passing, this);
    }
}
