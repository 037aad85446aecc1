package ai.buildscale.agents.platform;

import io.quarkus.reactive.pg.client.PgPoolCreator;
import io.vertx.pgclient.PgBuilder;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import io.vertx.sqlclient.SqlConnectOptions;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What every connection is told, so that nothing a process leaves behind holds up the log's horizon. Beside Quarkus' own
 * pool (for Hibernate, and the listener for wake-ups) it makes the pools of {@link Database}.
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
        input.poolOptions().setConnectionTimeout(CONNECT_SECONDS).setConnectionTimeoutUnit(TimeUnit.SECONDS);
        input.pgConnectOptionsList()
                .forEach(options -> options.setConnectTimeout(CONNECT_SECONDS * 1_000)
                        .setTcpKeepAlive(true)
                        .setTcpNoDelay(true)
                        .setPreparedStatementCacheSqlLimit(LONGEST_STATEMENT)
                        .addProperty("application_name", "agent-sessions")
                        .addProperty("timezone", "UTC")
                        .addProperty("statement_timeout", "30s")
                        .addProperty("idle_in_transaction_session_timeout", "10s"));
        return build(input.poolOptions());
    }

    /** Another pool with the same settings; its connections live on the event loop that asks for them. */
    Pool create(int connections) {
        return build(new PoolOptions(input.poolOptions()).setMaxSize(connections));
    }

    private Pool build(PoolOptions pool) {
        return PgBuilder.pool()
                .connectingTo(List.<SqlConnectOptions>copyOf(input.pgConnectOptionsList()))
                .with(pool)
                .using(input.vertx())
                .build();
    }
}
