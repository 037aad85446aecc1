package ai.buildscale.agents.platform.postgres;

import java.util.Arrays;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * A notification: the log has grown, and the servers it names have work to do.
 *
 * @param everyone too many to name
 */
public record Notification(Set<UUID> servers, boolean everyone) {
    /** Postgres takes 8,000 bytes. */
    private static final int MOST = 200;

    private static final String EVERYONE = "*";

    /** Whether any server has work to do. */
    public boolean concernsAny() {
        return everyone || !servers.isEmpty();
    }

    /**
     * Whether the server has work to do.
     *
     * @param server null for one that owns nothing now
     */
    public boolean concerns(UUID server) {
        return server != null && (everyone || servers.contains(server));
    }

    static Notification of(Set<UUID> servers) {
        return servers.size() > MOST ? new Notification(Set.of(), true) : new Notification(Set.copyOf(servers), false);
    }

    /** As it is sent; {@link #read} reads it. */
    String text() {
        return everyone ? EVERYONE : servers.stream().map(UUID::toString).collect(Collectors.joining(","));
    }

    /** What a newer server may say in another way is for everyone. */
    static Notification read(String text) {
        if (text.isEmpty()) {
            return new Notification(Set.of(), false);
        }
        try {
            return new Notification(
                    Arrays.stream(text.split(",")).map(UUID::fromString).collect(Collectors.toSet()), false);
        } catch (IllegalArgumentException e) {
            return new Notification(Set.of(), true);
        }
    }
}
