package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.Batcher;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.session.SessionPlacement;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.BooleanSupplier;

/** Writes the progress of this server's turns, many in one statement; retries transient failures only. */
@ApplicationScoped
class TurnWriter {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);
    private static final int ATTEMPTS = 60;

    private final Batcher<TurnStep, Set<UUID>> steps;
    private final Batcher<TurnClosing, Map<UUID, Integer>> closings;

    TurnWriter(TurnRepository turns, SessionPlacement placement) {
        this.steps = new Batcher<>(TurnSql.BATCH, batch -> turns.step(self(placement), batch));
        this.closings = new Batcher<>(TurnSql.BATCH, batch -> turns.close(self(placement), batch));
    }

    /**
     * Returns this server's id. Fails while the lease has lapsed, so that the write is retried: the lease may hold again
     * before the server is declared lost.
     */
    private static UUID self(SessionPlacement placement) {
        UUID self = placement.self();
        if (self == null) {
            throw Problem.unavailable();
        }
        return self;
    }

    /**
     * Writes the step; emits false if this server no longer owns the turn.
     *
     * @param stillWanted whether a failed write is still worth retrying
     */
    Uni<Boolean> step(TurnStep step, BooleanSupplier stillWanted) {
        return persistently(
                stillWanted,
                steps.add(step).map(taken -> taken.contains(step.fence().session())));
    }

    /** Closes the turn; emits how many messages wait for its session, or null if this server no longer owns the turn. */
    Uni<Integer> close(TurnClosing closing, BooleanSupplier stillWanted) {
        return persistently(
                stillWanted,
                closings.add(closing).map(closed -> closed.get(closing.fence().session())));
    }

    /** Retries when the database is away or the service is unavailable. */
    private static <R> Uni<R> persistently(BooleanSupplier stillWanted, Uni<R> work) {
        return work.onFailure(e -> stillWanted.getAsBoolean() && (e instanceof Problem || Database.isAway(e)))
                .retry()
                .withBackOff(FIRST_PAUSE, LONGEST_PAUSE)
                .withJitter(0.5)
                .atMost(ATTEMPTS);
    }
}
