package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.postgres.Db;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Writes the steps and the closings of turns that hosts elsewhere run, each in the transaction that has judged the host's
 * claim. This server's own turns are written by {@link TurnWriter}.
 */
@ApplicationScoped
public class TurnJournal {
    private final TurnRepository turns;
    private final TurnLifecycle lifecycle;

    TurnJournal(TurnRepository turns, TurnLifecycle lifecycle) {
        this.turns = turns;
        this.lifecycle = lifecycle;
    }

    public Uni<Void> step(Db db, TurnStep step) {
        return turns.step(db, null, List.of(step)).replaceWithVoid();
    }

    /** Closes a turn for the host that runs it. */
    public Uni<Void> close(Db db, TurnClosing closing) {
        return close(db, List.of(closing), each -> lifecycle.closed(each, EnumSet.of(TurnState.RUNNING)));
    }

    /** Books what a host has used for a turn that ended with its session; the turn stays as it is. */
    public Uni<Void> bookLate(Db db, TurnClosing closing) {
        return close(db, List.of(closing), lifecycle::bookedLate);
    }

    /** Closes turns that no host runs any more: they were lost, left, or stopped at rest. */
    public Uni<Void> closeLeft(Db db, List<TurnClosing> closings) {
        return close(db, closings, each -> lifecycle.closed(each, Set.of()));
    }

    private Uni<Void> close(Db db, List<TurnClosing> closings, Consumer<TurnClosing> committed) {
        if (closings.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        return turns.close(db, null, closings)
                .invoke(() -> db.afterCommit(() -> closings.forEach(committed)))
                .replaceWithVoid();
    }
}
