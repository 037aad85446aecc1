package ai.buildscale.agents.platform.security;

import java.util.List;
import java.util.Set;

/** The keys of the issuer from one change of theirs to the next. */
final class KeySet {
    static final KeySet NONE = new KeySet(Set.of());

    private final Set<IssuerKey> keys;

    KeySet(Set<IssuerKey> keys) {
        this.keys = Set.copyOf(keys);
    }

    boolean hasTheKeysOf(KeySet other) {
        return keys.equals(other.keys);
    }

    boolean isEmpty() {
        return keys.isEmpty();
    }

    int size() {
        return keys.size();
    }

    /** The keys that a token of this {@code kid} (null: it names none) may be signed with, whatever their type. */
    List<IssuerKey> answeringTo(String id) {
        return keys.stream().filter(key -> key.answersTo(id)).toList();
    }
}
