package ai.buildscale.agents.platform;

import io.quarkus.reactive.pg.client.PgPoolCreator;
import io.vertx.pgclient.PgBuilder;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import io.vertx.sqlclient.SqlConnectOptions;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What every connection is told, so that nothing a process leaves behind holds up the log's horizon. Beside Quarkus' own
 * pool (for the listener for wake-ups, and the presence lock) it makes the pools of {@link Database}.
 */
@Singleton
public class PoolSettings implements PgPoolCreator {
    private static final int CONNECT_SECONDS = 3;
    /** The client caches no statement that is longer, and parses and plans it each time: all of ours must fit. */
    private static final int LONGEST_STATEMENT = 32_768;

    private volatile Input input;

    @Override
    public Pool create(Input input) {
        this.input = input;
        input.poolOptions()
                .setName("common")
                .setConnectionTimeout(CONNECT_SECONDS)
                .setConnectionTimeoutUnit(TimeUnit.SECONDS);
        input.pgConnectOptionsList()
                .forEach(options -> options.setConnectTimeout(CONNECT_SECONDS * 1_000)
                        .setTcpKeepAlive(true)
                        .setTcpNoDelay(true)
                        .setPreparedStatementCacheSqlLimit(LONGEST_STATEMENT)
                        .addProperty("application_name", "agent-sessions")
                        .addProperty("timezone", "UTC")
                        .addProperty("plan_cache_mode", "force_generic_plan")
                        // as on a disk without a head: or the primary key is walked where an index has the few rows
                        .addProperty("random_page_cost", "1.1")
                        .addProperty("statement_timeout", "30s")
                        .addProperty("idle_in_transaction_session_timeout", "2s"));
        return build(input.poolOptions(), List.copyOf(input.pgConnectOptionsList()));
    }

    /**
     * Another pool with the same settings; its connections live on the event loop that asks for them. A statement that
     * nobody waits for any more is given up by Postgres too, or it might still be carried out.
     */
    Pool create(int connections, Duration timeout) {
        List<SqlConnectOptions> options = new ArrayList<>();
        for (PgConnectOptions common : input.pgConnectOptionsList()) {
            options.add(new PgConnectOptions(common)
                    .addProperty("statement_timeout", timeout.plusMillis(250).toMillis() + "ms"));
        }
        // one name for all of them: they are measured together
        return build(new PoolOptions(input.poolOptions()).setName("statements").setMaxSize(connections), options);
    }

    private Pool build(PoolOptions pool, List<SqlConnectOptions> options) {
        return PgBuilder.pool()
                .connectingTo(options)
                .with(pool)
                .using(input.vertx())
                .build();
    }
}
