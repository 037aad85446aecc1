package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.schedule.SingleFlight;
import io.smallrye.mutiny.Uni;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Finds sessions whose actors live here although the session ended elsewhere, was removed or has another owner: no
 * message tells this server. Those that have just ended are seen at once; for the others it goes round, some at each
 * look.
 */
final class GoneSessions {
    /** The agents that one look judges. */
    private static final int SOME = 2_000;

    private final TurnRepository turns;
    private final Supplier<Set<UUID>> sessions;
    private final Supplier<UUID> self;
    private final BiConsumer<UUID, Boolean> gone;
    private final SingleFlight looking;
    /** Where the next look goes on; only one is under way. */
    private Iterator<UUID> unseen = Collections.emptyIterator();

    /**
     * @param sessions those that this server has agents of
     * @param self this server; null while it owns nothing
     * @param gone gets each session that is gone, and whether it has ended or was removed
     */
    GoneSessions(
            TurnRepository turns,
            Supplier<Set<UUID>> sessions,
            Supplier<UUID> self,
            BiConsumer<UUID, Boolean> gone,
            Consumer<Throwable> failed) {
        this.turns = turns;
        this.sessions = sessions;
        this.self = self;
        this.gone = gone;
        this.looking = new SingleFlight(this::lookNow, failed);
    }

    /** Looks once, unless a look is under way. */
    void look() {
        looking.triggerIfIdle();
    }

    private Uni<?> lookNow() {
        UUID server = self.get();
        return server == null || sessions.get().isEmpty()
                ? Uni.createFrom().voidItem()
                : turns.gone(server, next()).invoke(found -> found.forEach(gone));
    }

    private List<UUID> next() {
        if (!unseen.hasNext()) {
            unseen = sessions.get().iterator();
        }
        List<UUID> some = new ArrayList<>();
        while (unseen.hasNext() && some.size() < SOME) {
            some.add(unseen.next());
        }
        return some;
    }
}
