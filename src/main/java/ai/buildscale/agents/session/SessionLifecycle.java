package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.TextRules;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.session.SessionRepository.Outcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.EnumMap;
import java.util.Map;
import org.jboss.logging.Logger;

/**
 * Counts and logs the transitions of sessions by commands, which {@link SessionStatus} and {@link SessionCommand} allow
 * and the database has accepted: each is one line at DEBUG under the category {@code session.lifecycle}. It costs
 * nothing while that is off. What turns do to their sessions the category {@code turn.lifecycle} tells.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class SessionLifecycle {
    private static final Logger LOG = Logger.getLogger("session.lifecycle");

    private final Map<SessionCommand, Counter> applied = new EnumMap<>(SessionCommand.class);
    private final Counter created;
    private final MeterRegistry metrics;

    SessionLifecycle(MeterRegistry metrics) {
        for (SessionCommand command : SessionCommand.values()) {
            applied.put(command, metrics.counter("sessions.commands", "command", command.toString()));
        }
        this.metrics = metrics;
        // each pair is there from the start, so that its first increase is seen
        for (SessionEnd end : SessionEnd.values()) {
            end.statuses().forEach(status -> counter(status, end));
        }
        this.created = metrics.counter("sessions.created");
    }

    /** A session was created; it is logged once that is committed. */
    void created(Db db, SessionView session) {
        created.increment();
        log(db, session, "-", "created");
    }

    /** A command was applied; it is logged once that is committed. */
    void applied(Db db, SessionCommand command, String reason, Outcome outcome) {
        applied.get(command).increment();
        SessionEnd end = SessionEnd.by(command);
        if (end != null) {
            ended(command.target(), end, 1);
        }
        log(db, outcome.session(), outcome.oldStatus(), reason == null ? command.toString() : reason);
    }

    /** Sessions have ended; what ends many in one statement is not logged one by one. */
    public void ended(SessionStatus status, SessionEnd end, long sessions) {
        counter(status, end).increment((double) sessions);
    }

    private Counter counter(SessionStatus status, SessionEnd end) {
        return metrics.counter("sessions.ended", "status", status.toString(), "reason", end.toString());
    }

    private static void log(Db db, SessionView session, String from, String reason) {
        if (LOG.isDebugEnabled()) {
            db.afterCommit(() -> LOG.debugf(
                    "session %s from %s to %s epoch %d reason %s",
                    session.id(), from, session.status(), session.epoch(), TextRules.oneLine(reason)));
        }
    }
}
