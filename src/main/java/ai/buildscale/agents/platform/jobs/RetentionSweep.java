package ai.buildscale.agents.platform.jobs;

import ai.buildscale.agents.platform.postgres.Database;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.RowSet;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Removes expired idempotency keys and stream tokens. */
@ApplicationScoped
public class RetentionSweep {
    private static final int BATCH = 5_000;

    private static final String FORGET_KEYS = """
            delete from idempotency_keys where (user_id, key) in (
                select user_id, key from idempotency_keys
                where created_at < now() - $1 * interval '1 second'
                order by created_at limit $2 for update skip locked)""";

    private static final String FORGET_TOKENS = "delete from stream_tokens where expires_at < now()";

    private final Database database;
    private final Sweeps sweeps;
    private final Duration keep;
    private final Duration every;

    RetentionSweep(
            Database database,
            Sweeps sweeps,
            @ConfigProperty(name = "idempotency.retention") Duration keep,
            @ConfigProperty(name = "sweeps.retention-interval") Duration every) {
        this.database = database;
        this.sweeps = sweeps;
        this.keep = keep;
        this.every = every;
    }

    @Scheduled(every = "${sweeps.retention-interval}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("housekeeping", every, this::runOnce);
    }

    Uni<Integer> runOnce() {
        return Sweeps.drain(
                        BATCH,
                        () -> database.rows(FORGET_KEYS, keep.toSeconds(), BATCH)
                                .map(RowSet::rowCount))
                .chain(keys -> database.rows(FORGET_TOKENS).map(tokens -> keys + tokens.rowCount()));
    }
}
