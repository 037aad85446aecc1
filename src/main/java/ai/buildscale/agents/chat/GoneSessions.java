package ai.buildscale.agents.chat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Finds sessions whose actors live here although the session ended elsewhere, was removed or has another owner: no
 * message tells this server. Those that have just ended are seen at once; for the others it goes round, some at each
 * look.
 */
final class GoneSessions {
    /** The agents that one look judges. */
    private static final int SOME = 2_000;

    private final TurnRepository turns;
    private final Set<UUID> sessions;
    private final AtomicBoolean looking = new AtomicBoolean();
    /** Where the next look goes on; only one is under way. */
    private Iterator<UUID> unseen = Collections.emptyIterator();

    /** @param sessions those that this server has agents of, as they are at any time */
    GoneSessions(TurnRepository turns, Set<UUID> sessions) {
        this.turns = turns;
        this.sessions = sessions;
    }

    /**
     * Looks once, unless a look is under way.
     *
     * @param gone gets each session that is gone, and whether it has ended or was removed
     */
    void look(UUID self, BiConsumer<UUID, Boolean> gone, Consumer<Throwable> trouble) {
        if (sessions.isEmpty() || !looking.compareAndSet(false, true)) {
            return;
        }
        turns.gone(self, next())
                .onTermination()
                .invoke(() -> looking.set(false))
                .subscribe()
                .with(found -> found.forEach(gone), trouble);
    }

    private List<UUID> next() {
        if (!unseen.hasNext()) {
            unseen = sessions.iterator();
        }
        List<UUID> some = new ArrayList<>();
        while (unseen.hasNext() && some.size() < SOME) {
            some.add(unseen.next());
        }
        return some;
    }
}
