package ai.buildscale.agents.event;

import io.smallrye.mutiny.Uni;
import java.util.Set;

/** Reads the state behind a topic for a stream's snapshot; implemented by the feature that owns the state. */
public interface SnapshotSource {
    /** @param full whether the state itself is wanted, not only where it stands */
    Uni<State> of(Topic topic, boolean full);

    /**
     * @param position that of the newest event of the log: all up to it are reflected
     * @param seen the positions at or above it that are reflected as well
     * @param known whether the topic exists
     * @param endsWithSession whether nothing comes after the end of the topic's session: so it is with a plain session,
     *     while a chat goes on with the next one
     * @param over whether that end has come
     * @param json the state as a JSON object on one line; null unless it was asked for
     */
    record State(long position, Set<Long> seen, boolean known, boolean endsWithSession, boolean over, String json) {}
}
