package ai.buildscale.agents.platform.postgres;

import ai.buildscale.agents.platform.schedule.FixedDelayTimer;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.SqlConnection;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import jakarta.interceptor.Interceptor;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Watches all connections to Postgres of this process, in whatever pool they are and whoever holds them. A connection
 * that rests is asked something every few seconds; one that owes an answer for longer than any statement may take is
 * closed, and those that were not heard meanwhile must answer at once; one that takes no writes is closed too. A pool
 * opens another in its place, a holder is told that it is gone. A timer looks, twice a second and before the schema is
 * there: the scheduler does neither.
 */
@Singleton
public class Connections {
    private static final Duration LOOK = Duration.ofMillis(500);
    private static final Duration REST = Duration.ofSeconds(3);
    /** The answer to what is asked of one that rests; longer is no answer for readiness. */
    private static final Duration AT_ONCE = Duration.ofSeconds(1);
    /** A younger one is kept though it is read-only: while nothing takes writes, connections are not opened all the time. */
    private static final Duration YOUNG = Duration.ofSeconds(1);
    /** What a statement's answer may take beyond the statement's own bound. */
    private static final Duration ALLOWANCE = Duration.ofMillis(500);

    private final FailureLog silence =
            new FailureLog(Connections.class, "connections to Postgres are without an answer");
    private final FailureLog refusal = new FailureLog(Connections.class, "connections to Postgres take no writes");
    private final Set<Pulse> pulses = ConcurrentHashMap.newKeySet();
    private final Vertx vertx;
    private final Duration patience;
    private final Duration openingPatience;
    private final Counter silent;
    private final Counter readOnly;
    private volatile FixedDelayTimer timer;

    Connections(
            Vertx vertx,
            MeterRegistry metrics,
            @ConfigProperty(name = "database.timeout") Duration timeout,
            @ConfigProperty(name = "database.connect-timeout") Duration connectTimeout) {
        this.vertx = vertx;
        this.patience = timeout.plus(ALLOWANCE);
        this.openingPatience = connectTimeout.compareTo(patience) > 0 ? connectTimeout : patience;
        this.silent = metrics.counter("database.connections.given.up", "reason", "silent");
        this.readOnly = metrics.counter("database.connections.given.up", "reason", "read_only");
    }

    void start(@Observes @Priority(1) StartupEvent event) {
        timer = FixedDelayTimer.start(vertx, () -> LOOK, () -> {
            look(System.nanoTime());
            return Uni.createFrom().voidItem();
        });
    }

    /** After everything that still asks the database. In development mode Vert.x, and so a timer, outlives a reload. */
    void stop(@Observes @Priority(Interceptor.Priority.PLATFORM_AFTER) ShutdownEvent event) {
        if (timer != null) {
            timer.stop();
        }
    }

    void begin(Pulse pulse) {
        pulses.add(pulse);
    }

    void end(Pulse pulse) {
        pulses.remove(pulse);
    }

    private void look(long now) {
        boolean unheard = false;
        boolean refused = false;
        for (Pulse pulse : pulses) {
            refused |= pulse.isReadOnly();
            if (pulse.isSilent(patience(pulse), now)) {
                unheard = true;
                giveUp(pulse);
            } else if (pulse.isGivenUpFor(YOUNG, now) && pulse.isOlderThan(YOUNG, now)) {
                close(pulse, readOnly);
            } else if (pulse.hasRested(REST, now)) {
                pulse.ask();
            }
        }
        if (!unheard) {
            silence.over();
        }
        if (refused) {
            refusal.met(new IllegalStateException("read-only; they are replaced until they are not"));
        } else {
            refusal.over();
        }
    }

    private Duration patience(Pulse pulse) {
        if (!pulse.isOpen()) {
            return openingPatience;
        }
        return pulse.isDoubted() ? AT_ONCE : patience;
    }

    private void giveUp(Pulse dead) {
        silence.met(new TimeoutException("no answer within " + patience.toMillis() + " ms; they are replaced"));
        close(dead, silent);
        pulses.forEach(other -> other.doubtLike(dead));
    }

    private void close(Pulse pulse, Counter reason) {
        if (pulses.remove(pulse)) {
            reason.increment();
            pulse.close();
        }
    }

    /** A write was refused: all that is connected for longer than a moment is replaced as soon as it rests. */
    void replaceAll() {
        long now = System.nanoTime();
        for (Pulse pulse : pulses) {
            if (pulse.isOpen() && pulse.isOlderThan(YOUNG, now)) {
                pulse.giveUp();
                if (pulse.isIdle()) {
                    close(pulse, readOnly);
                }
            }
        }
    }

    /** Closes a connection that its holder does not trust any more; it does not go back to its pool. */
    public void drop(SqlConnection connection) {
        Pulse pulse = Pulse.of(connection.getDelegate());
        if (pulse != null) {
            pulse.close();
        }
        connection.close().subscribe().with(_ -> {}, _ -> {});
    }

    /** Asks this of a connection that rests, in place of whether it takes writes; it must be safe to repeat. */
    public void ask(SqlConnection connection, String question) {
        Pulse pulse = Pulse.of(connection.getDelegate());
        if (pulse != null) {
            pulse.asks(question);
        }
    }

    /** What is wrong with one of them now, in the words of {@link OutageReason}. */
    Optional<OutageReason> ailing() {
        long now = System.nanoTime();
        for (Pulse pulse : pulses) {
            if (pulse.isLate(AT_ONCE, now)) {
                return Optional.of(OutageReason.TIMEOUT);
            }
            if (pulse.isReadOnly()) {
                return Optional.of(OutageReason.READ_ONLY);
            }
        }
        return Optional.empty();
    }
}
