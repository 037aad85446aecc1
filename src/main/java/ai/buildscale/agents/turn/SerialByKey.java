package ai.buildscale.agents.turn;

import io.smallrye.mutiny.Uni;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Runs tasks one after the other per key, in the order of submission. */
final class SerialByKey {
    private final Map<UUID, Uni<Void>> last = new ConcurrentHashMap<>();

    /** The work, once what was given before for this session is over, in whichever way. It begins when it is subscribed to. */
    Uni<Void> after(UUID session, Supplier<Uni<Void>> work) {
        return Uni.createFrom().deferred(() -> {
            Uni<Void> mine = last.compute(
                    session,
                    (_, before) -> before == null
                            ? begin(work)
                            : before.onFailure()
                                    .recoverWithNull()
                                    .chain(() -> begin(work))
                                    .memoize()
                                    .indefinitely());
            return mine.onTermination().invoke(() -> last.remove(session, mine));
        });
    }

    private static Uni<Void> begin(Supplier<Uni<Void>> work) {
        return Uni.createFrom().deferred(work::get).memoize().indefinitely();
    }
}
