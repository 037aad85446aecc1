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
    private volatile boolean done;
    private volatile boolean stopping;

    Migrations(Flyway flyway, Event<Applied> applied, Scheduler scheduler) {
        this.flyway = flyway;
        this.applied = applied;
        this.scheduler = scheduler;
    }

    public boolean done() {
        return done;
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
                applied.fire(new Applied());
                scheduler.resume();
            } catch (FlywayException e) {
                LOG.warnf(
                        "the schema is not up to date yet: %s",
                        e.getMessage().lines().findFirst().orElse(""));
                pause();
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
