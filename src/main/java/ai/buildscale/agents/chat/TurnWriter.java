package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.TurnRepository.Ending;
import ai.buildscale.agents.chat.TurnRepository.Step;
import ai.buildscale.agents.session.SessionHost;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.UUID;

/** Writes what the turns of this server do, many in one statement; tries again while Postgres is away. */
@ApplicationScoped
class TurnWriter {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);
    private static final int ATTEMPTS = 60;

    private final Gathering<Step, java.util.Set<UUID>> steps;
    private final Gathering<Ending, java.util.Map<UUID, Integer>> endings;

    TurnWriter(TurnRepository turns, SessionHost host) {
        this.steps = new Gathering<>(TurnSql.BATCH, batch -> turns.step(host.self(), batch));
        this.endings = new Gathering<>(TurnSql.BATCH, batch -> turns.close(host.self(), batch));
    }

    /** Emits whether the turn was this server's to go on with. */
    Uni<Boolean> step(Step step) {
        return persistently(
                steps.add(step).map(taken -> taken.contains(step.fence().session())));
    }

    /** Emits how many messages wait for the session now; null if the turn was not this server's to close. */
    Uni<Integer> close(Ending ending) {
        return persistently(
                endings.add(ending).map(closed -> closed.get(ending.fence().session())));
    }

    private static <R> Uni<R> persistently(Uni<R> work) {
        return work.onFailure()
                .retry()
                .withBackOff(FIRST_PAUSE, LONGEST_PAUSE)
                .withJitter(0.5)
                .atMost(ATTEMPTS);
    }
}
