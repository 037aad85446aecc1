package ai.buildscale.agents.platform;

import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.scheduler.Scheduler;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import jakarta.enterprise.event.Observes;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.jboss.logging.Logger;

/**
 * Brings the schema up to date when the process starts, on a thread of its own: a database that is away keeps the
 * process alive and not ready, and is tried again every second. Several servers may start at once; Flyway locks. The
 * scheduler starts only then (it is configured to wait).
 */
@ApplicationScoped
public class Migrations {
    private static final Logger LOG = Logger.getLogger(Migrations.class);
    private static final long PAUSE_MILLIS = 1_000;

    /** Fired once, when the schema is there. */
    public record Applied() {}

    private final Flyway flyway;
    private final Event<Applied> applied;
    private final Scheduler scheduler;
    private final Trouble trouble = new Trouble(Migrations.class, "the schema is not up to date");
    private volatile boolean done;
    private volatile String state = "pending";
    private volatile boolean stopping;

    Migrations(Flyway flyway, Event<Applied> applied, Scheduler scheduler) {
        this.flyway = flyway;
        this.applied = applied;
        this.scheduler = scheduler;
    }

    public boolean done() {
        return done;
    }

    /** For an operator: how far it is, or what stands in its way. */
    String state() {
        return done ? "applied" : state;
    }

    void start(@Observes StartupEvent event) {
        Thread.ofPlatform().name("migrations").daemon().start(this::run);
    }

    void stop(@Observes ShutdownEvent event) {
        stopping = true;
    }

    private void run() {
        while (!stopping && !done) {
            try {
                flyway.migrate();
                done = true;
                trouble.over();
            } catch (FlywayException e) {
                state = "pending: " + e.getMessage();
                trouble.met(e);
                pause();
            }
        }
        if (done) {
            try {
                applied.fire(new Applied());
            } catch (RuntimeException e) {
                LOG.error("something that waits for the schema did not start; the scheduler will try again", e);
            } finally {
                scheduler.resume();
            }
        }
    }

    private void pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            stopping = true;
            Thread.currentThread().interrupt();
        }
    }
}
