package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.session.SessionRepository.Outcome;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jboss.logmanager.formatters.PatternFormatter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SessionLifecycleTest {
    private final Logger log = Logger.getLogger("session.lifecycle");
    private final List<String> lines = new ArrayList<>();
    private final List<Runnable> commits = new ArrayList<>();
    private final Handler handler = new Lines();
    private final Db db = new Transaction();
    private final SimpleMeterRegistry metrics = new SimpleMeterRegistry();
    private final SessionLifecycle lifecycle = new SessionLifecycle(metrics);
    private final UUID id = Ids.next();

    /** A transaction that is committed by running {@link #commits}. */
    private final class Transaction implements Db {
        @Override
        public Uni<RowSet<Row>> rows(String sql, Object... arguments) {
            throw new UnsupportedOperationException();
        }

        @Override
        public <T> Uni<T> atomically(Function<Db, Uni<T>> work) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void afterCommit(Runnable action) {
            commits.add(action);
        }
    }

    private final class Lines extends Handler {
        private final PatternFormatter words = new PatternFormatter("%s");

        @Override
        public void publish(LogRecord line) {
            lines.add(words.format(line));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    @BeforeEach
    void listen() {
        log.addHandler(handler);
    }

    @AfterEach
    void stopListening() {
        log.removeHandler(handler);
        log.setLevel(null);
    }

    private SessionView session(SessionStatus status, long epoch) {
        Instant now = Instant.EPOCH;
        return new SessionView(
                id,
                id,
                null,
                id,
                "chat",
                status.toString(),
                "scripted",
                "execution",
                null,
                null,
                null,
                now,
                now,
                now,
                null,
                null,
                status.isTerminal(),
                1,
                epoch,
                "external",
                null,
                null,
                null,
                null,
                null,
                "{}",
                "{}",
                null,
                new SessionView.Usage(0, 0, 0, 0),
                null);
    }

    private Outcome moved(SessionStatus from, SessionStatus to) {
        return new Outcome(session(to, 3), true, from.toString(), 1, null, null, 3, null, null, null);
    }

    @Test
    void aTransitionIsOneLineOnceItIsCommitted() {
        log.setLevel(Level.FINE);

        lifecycle.created(db, session(SessionStatus.IDLE, 1));
        lifecycle.applied(db, SessionCommand.PAUSE, "for\r\nlunch", moved(SessionStatus.RUNNING, SessionStatus.PAUSED));
        lifecycle.applied(db, SessionCommand.CANCEL, null, moved(SessionStatus.PAUSED, SessionStatus.CANCELLED));

        assertThat(lines).isEmpty();
        commits.forEach(Runnable::run);
        assertThat(lines)
                .containsExactly(
                        "session " + id + " from - to idle epoch 1 reason created",
                        "session " + id + " from running to paused epoch 3 reason for lunch",
                        "session " + id + " from paused to cancelled epoch 3 reason cancel");
    }

    @Test
    void withoutDebugATransitionIsCountedAndCostsNothingElse() {
        log.setLevel(Level.INFO);

        lifecycle.created(db, session(SessionStatus.IDLE, 1));
        lifecycle.applied(db, SessionCommand.PAUSE, null, moved(SessionStatus.RUNNING, SessionStatus.PAUSED));

        assertThat(commits).isEmpty();
        assertThat(lines).isEmpty();
        assertThat(metrics.counter("sessions.created").count()).isEqualTo(1);
        assertThat(metrics.counter("sessions.commands", "command", "pause").count())
                .isEqualTo(1);
    }

    private double ended(String status, String reason) {
        return metrics.get("sessions.ended")
                .tag("status", status)
                .tag("reason", reason)
                .counter()
                .count();
    }

    @Test
    void endsAreCountedByTheirReasons() {
        lifecycle.applied(db, SessionCommand.PAUSE, null, moved(SessionStatus.RUNNING, SessionStatus.PAUSED));
        lifecycle.applied(db, SessionCommand.COMPLETE, null, moved(SessionStatus.RUNNING, SessionStatus.COMPLETED));
        lifecycle.applied(db, SessionCommand.FAIL, null, moved(SessionStatus.RUNNING, SessionStatus.ERROR));
        lifecycle.applied(db, SessionCommand.CANCEL, null, moved(SessionStatus.PAUSED, SessionStatus.CANCELLED));
        lifecycle.ended(SessionStatus.ERROR, SessionEnd.STALE, 7);
        lifecycle.ended(SessionStatus.CANCELLED, SessionEnd.STALE, 2);

        assertThat(ended("completed", "completed")).isEqualTo(1);
        assertThat(ended("error", "failed")).isEqualTo(1);
        assertThat(ended("cancelled", "cancelled")).isEqualTo(1);
        assertThat(ended("error", "stale")).isEqualTo(7);
        assertThat(ended("cancelled", "stale")).isEqualTo(2);
        assertThat(ended("cancelled", "inactive")).isZero();
        assertThat(ended("error", "turn_failed")).isZero();
    }
}
