package ai.buildscale.agents.server;

import io.quarkus.runtime.annotations.RegisterForReflection;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/**
 * A server of the fleet.
 *
 * @param url where it says it can be reached
 * @param lastHeartbeat when it renewed its lease
 * @param sessions the live sessions that it owns, counted now
 * @param running those that run
 * @param capacity how many it is good for
 * @param load the moving average of sessions ÷ capacity; 1 is full
 * @param labels what sessions may require
 * @param goneReason {@code left}, {@code connection_lost} or {@code lease_expired}
 */
@Schema(name = "Server")
@RegisterForReflection
public record ServerView(
        UUID id,
        String hostname,
        @Schema(nullable = true) String url,
        @Schema(implementation = ServerState.class) String state,
        Instant startedAt,
        Instant lastHeartbeat,
        long sessions,
        long running,
        int capacity,
        double load,
        String version,
        Map<String, String> labels,
        @Schema(nullable = true) Instant goneAt,

        @Schema(
                nullable = true,
                enumeration = {"left", "connection_lost", "lease_expired"})
        String goneReason) {

    static ServerView of(Member member, ServerRepository.Counts counts) {
        return new ServerView(
                member.id(),
                member.hostname(),
                member.url(),
                member.state(),
                member.startedAt(),
                member.renewedAt(),
                counts.sessions(),
                counts.running(),
                member.capacity(),
                member.load(),
                member.version(),
                member.labels(),
                member.goneAt(),
                member.goneReason());
    }
}
