package ai.buildscale.agents.platform.postgres;

import io.agroal.api.AgroalDataSource;
import io.agroal.api.AgroalDataSource.FlushMode;
import io.quarkus.flyway.runtime.QuarkusFlywayResourceProvider;
import io.quarkus.flyway.runtime.QuarkusPathLocationScanner;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.scheduler.Scheduler;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Instance;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.Location;
import org.flywaydb.core.api.configuration.Configuration;
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.flywaydb.core.api.output.MigrateResult;
import org.flywaydb.core.api.resource.LoadableResource;
import org.jboss.logging.Logger;

/**
 * Brings the schema up to date when the process starts, on a thread of its own: a database that is away keeps the
 * process alive and not ready, and is tried again every second. Several servers may start at once; Flyway locks. The
 * scheduler starts only then (it is configured to wait).
 *
 * <p>Mostly the schema is up to date already: then one statement says so, and neither Flyway nor JDBC is loaded (0.2 s of
 * a JVM's start). That is why Quarkus' own Flyway bean is not active.
 */
@ApplicationScoped
public class Migrations {
    private static final Logger LOG = Logger.getLogger(Migrations.class);
    private static final long PAUSE_MILLIS = 1_000;
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final Location FOLDER = Location.fromPath("classpath:", "db/migration");

    private static final String PENDING = "pending";
    private static final String APPLIED =
            "select from flyway_schema_history where right(script, length($1)) = $1 and success";
    private static final String SEARCH_PATH =
            "select current_schema() as schema, current_setting('search_path') as search_path";

    /** Fired once, when the schema is there. */
    public record Applied() {}

    private final Pool pool;
    private final Instance<AgroalDataSource> dataSource;
    private final Event<Applied> applied;
    private final Scheduler scheduler;
    private volatile boolean done;
    private volatile String state = PENDING;
    private volatile boolean stopping;

    Migrations(Pool pool, Instance<AgroalDataSource> dataSource, Event<Applied> applied, Scheduler scheduler) {
        this.pool = pool;
        this.dataSource = dataSource;
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
                if (!isCurrent()) {
                    migrate();
                }
                done = true;
                if (!state.equals(PENDING)) {
                    LOG.info("no longer: the schema is not up to date");
                }
            } catch (RuntimeException | LinkageError e) {
                waits(e.getMessage() == null ? e.toString() : e.getMessage());
                pause();
            }
        }
        if (done && !stopping) {
            try {
                applied.fire(new Applied());
            } catch (RuntimeException e) {
                LOG.error("something that waits for the schema did not start; the scheduler will try again", e);
            } finally {
                // not after Jobs has paused it for good
                if (!stopping) {
                    scheduler.resume();
                }
            }
        }
    }

    /** The reason may change: what hid behind the first may be for an operator to mend. */
    private void waits(String reason) {
        String now = PENDING + ": " + reason;
        if (!now.equals(state)) {
            state = now;
            LOG.warnf("the schema is not up to date: %s", reason);
        }
    }

    /** Fails if the database is away: JDBC would wait for it long, and Flyway says less about it. */
    private boolean isCurrent() {
        try {
            // its folder is part of the name if Quarkus' list of files was used
            return pool.preparedQuery(APPLIED)
                            .execute(Tuple.of(newest()))
                            .await()
                            .atMost(PATIENCE)
                            .size()
                    > 0;
        } catch (RuntimeException e) {
            if (Database.isAway(e)) {
                throw e;
            }
            LOG.debug("the schema is empty: Flyway finds out", e);
            return false;
        }
    }

    private void migrate() {
        Row path = pool.query(SEARCH_PATH)
                .execute()
                .await()
                .atMost(PATIENCE)
                .iterator()
                .next();
        if (path.getString("schema") == null) {
            throw new IllegalStateException("there is no schema of the search path: " + path.getString("search_path"));
        }
        try {
            MigrateResult result = flyway().migrate();
            // none, where another server was faster
            if (result.migrationsExecuted > 0) {
                LOG.infof(
                        "applied %d migrations in %d ms: the schema %s is at version %s",
                        result.migrationsExecuted,
                        result.getTotalMigrationTime(),
                        path.getString("schema"),
                        result.targetSchemaVersion);
            }
        } finally {
            // nobody needs them any more; and what a database that takes no writes has opened would never take them
            dataSource.get().flush(FlushMode.ALL);
        }
        if (!isCurrent()) {
            throw new IllegalStateException(
                    "the migrations are not in the schema in which statements look: " + path.getString("schema"));
        }
    }

    /**
     * The newest migration: a schema that has it has all of them. By its file, as another branch may count the same.
     *
     * <p>Of Flyway this loads no more than the few classes that name files.
     */
    static String newest() {
        return listed(null).stream()
                .map(LoadableResource::getFilename)
                .filter(file -> file.matches("V\\d+__.*"))
                .max(Comparator.comparingInt(Migrations::version))
                .orElseThrow();
    }

    private static int version(String file) {
        return Integer.parseInt(file, 1, file.indexOf("__"), 10);
    }

    /** The migrations were listed when the service was built; in a native image there is no class path to search. */
    private static Collection<LoadableResource> listed(Configuration settings) {
        return new QuarkusPathLocationScanner(settings, List.of(FOLDER)).scanForResources();
    }

    private Flyway flyway() {
        FluentConfiguration settings = Flyway.configure().dataSource(dataSource.get());
        return settings.resourceProvider(new QuarkusFlywayResourceProvider(listed(settings)))
                .javaMigrationClassProvider(List::of)
                .load();
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
