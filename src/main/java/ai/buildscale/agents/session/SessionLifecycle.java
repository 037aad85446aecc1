package ai.buildscale.agents.session;

import ai.buildscale.agents.session.SessionRepository.Outcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.EnumMap;
import java.util.Map;
import java.util.UUID;
import org.jboss.logging.Logger;

/**
 * Counts and logs the transitions of sessions by commands, which {@link SessionStatus} and {@link SessionCommand} allow
 * and the database has accepted: each is one line at DEBUG under the category {@code session.lifecycle}. It costs
 * nothing while that is off. What turns do to their sessions the category {@code turn.lifecycle} tells.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class SessionLifecycle {
    private static final Logger LOG = Logger.getLogger("session.lifecycle");

    private final Map<SessionCommand, Counter> applied = new EnumMap<>(SessionCommand.class);
    private final Counter created;

    SessionLifecycle(MeterRegistry metrics) {
        for (SessionCommand command : SessionCommand.values()) {
            applied.put(command, metrics.counter("sessions.commands", "command", command.toString()));
        }
        this.created = metrics.counter("sessions.created");
    }

    void created(SessionView session) {
        created.increment();
        log(session.id(), "-", session.status(), "created", session.epoch());
    }

    void applied(SessionCommand command, String reason, Outcome outcome) {
        applied.get(command).increment();
        SessionView session = outcome.session();
        log(
                session.id(),
                outcome.oldStatus(),
                session.status(),
                reason == null ? command.toString() : reason,
                session.epoch());
    }

    private static void log(UUID session, String from, String to, String reason, long epoch) {
        if (LOG.isDebugEnabled()) {
            LOG.debugf("session %s from %s to %s epoch %d reason %s", session, from, to, epoch, reason);
        }
    }
}
