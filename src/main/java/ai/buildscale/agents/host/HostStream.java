package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.http.EventStreams;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.security.Caller;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Clock;
import java.util.List;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/** Serves a host's work as a stream: one long poll after the other, for as long as the client takes the events. */
@ApplicationScoped
class HostStream {
    private final Database database;
    private final HostService service;
    private final HostWaiters waits;
    private final HostConfig config;
    private final ObjectMapper json;
    private final Clock clock;

    HostStream(
            Database database,
            HostService service,
            HostWaiters waits,
            HostConfig config,
            ObjectMapper json,
            Clock clock) {
        this.database = database;
        this.service = service;
        this.waits = waits;
        this.config = config;
        this.json = json;
        this.clock = clock;
    }

    /**
     * The frames, on the caller's event loop.
     *
     * @param gone whether the client has gone
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code UNAVAILABLE} once this server stops
     */
    Uni<Multi<String>> open(Caller caller, UUID host, int limit, BooleanSupplier gone) {
        if (waits.isStopped()) {
            throw new Problem(ProblemType.UNAVAILABLE, "This server is stopping; ask another").retryAfter(1);
        }
        Context context = Vertx.currentContext();
        BooleanSupplier over = () ->
                gone.getAsBoolean() || waits.isStopped() || !caller.expiresAt().isAfter(clock.instant());
        return service.acting(database, caller, host)
                .map(_ -> Multi.createBy()
                        .repeating()
                        .uni(() -> service.work(caller, host, limit, null, config.keepAlive(), over)
                                .map(this::frames))
                        .whilst(_ -> !over.getAsBoolean())
                        .emitOn(work -> context.runOnContext(_ -> work.run()), 1));
    }

    private String frames(List<HostWork> work) {
        if (work.isEmpty()) {
            return EventStreams.KEEP_ALIVE;
        }
        return work.stream()
                .map(one -> "event: work\ndata: " + text(one) + "\n\n")
                .collect(Collectors.joining());
    }

    private String text(HostWork work) {
        try {
            return json.writeValueAsString(work);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
