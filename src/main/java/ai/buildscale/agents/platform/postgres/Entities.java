package ai.buildscale.agents.platform.postgres;

import io.quarkus.hibernate.reactive.panache.Panache;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.function.Supplier;

/**
 * Runs units of work on entities, within the same bounds as statements ({@link Database}): tried again on contention,
 * {@code UNAVAILABLE} when Postgres does not answer in time. A unit of work uses entities or statements, never both:
 * Hibernate's connections come from the common pool, and do not join a transaction of statements.
 */
@ApplicationScoped
public class Entities {
    private final Database database;

    Entities(Database database) {
        this.database = database;
    }

    /** Runs the work with one session, without a transaction. */
    public <T> Uni<T> read(Supplier<Uni<T>> work) {
        return database.guarded(() -> toItsEnd(Panache.withSession(work)));
    }

    /** Runs the work in one transaction, which is rolled back if it fails; it may run more than once. */
    public <T> Uni<T> edit(Supplier<Uni<T>> work) {
        return database.guarded(() -> toItsEnd(Panache.withTransaction(work)));
    }

    /**
     * The work, which goes on to its end if nobody waits for it any more: Hibernate does not take it well if a session is
     * closed under a statement. {@link Connections} sees to it that no statement lasts for ever.
     */
    private static <T> Uni<T> toItsEnd(Uni<T> work) {
        return Uni.createFrom().emitter(waiting -> work.subscribe().with(waiting::complete, waiting::fail));
    }
}
