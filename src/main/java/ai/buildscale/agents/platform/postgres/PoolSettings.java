package ai.buildscale.agents.platform.postgres;

import io.quarkus.reactive.pg.client.PgPoolCreator;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.sqlclient.ClientBuilder;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import io.vertx.sqlclient.SqlConnectOptions;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Settings of every connection of the pools, so that nothing a process leaves behind holds up the log's horizon.
 * Beside Quarkus' own pool (for the listener for wake-ups, and the presence lock) it makes the pools of {@link
 * Database}.
 *
 * <p>Settings are made by a statement and not in the startup message: poolers refuse a startup message that has any
 * which they do not know.
 */
@Singleton
public class PoolSettings implements PgPoolCreator {
    private static final String NAME = "application_name";
    private static final int WAIT_SECONDS = 3;
    /** The client caches no statement that is longer, and parses and plans it each time: all of ours must fit. */
    private static final int LONGEST_STATEMENT = 32_768;

    private final WatchedDriver driver;
    private final Duration connectTimeout;
    private volatile Input input;

    /** @param ofTheUrl what JDBC's connections are told, see {@link DatabaseUrl}; ours come after it */
    PoolSettings(
            Connections connections,
            @ConfigProperty(name = "database.timeout") Duration timeout,
            @ConfigProperty(name = "database.connect-timeout") Duration connectTimeout,
            @ConfigProperty(name = "quarkus.datasource.jdbc.new-connection-sql") Optional<String> ofTheUrl) {
        String own = settings(timeout);
        this.driver = new WatchedDriver(
                connections, ofTheUrl.map(first -> first + ";" + own).orElse(own));
        this.connectTimeout = connectTimeout;
    }

    /** @param timeout after which nobody waits for a statement any more: Postgres gives it up too, or it might still be done */
    private static String settings(Duration timeout) {
        return SessionSetting.statement(Stream.of(
                SessionSetting.call("timezone", "UTC"),
                SessionSetting.call("plan_cache_mode", "force_generic_plan"),
                // as on a disk without a head: or the primary key is walked where an index has the few rows
                SessionSetting.call("random_page_cost", "1.1"),
                SessionSetting.call("statement_timeout", timeout.plusMillis(250).toMillis() + "ms"),
                SessionSetting.call("idle_in_transaction_session_timeout", "2s"),
                "current_setting('transaction_read_only')"));
    }

    @Override
    public Pool create(Input input) {
        this.input = input;
        input.poolOptions()
                .setName("common")
                .setConnectionTimeout(WAIT_SECONDS)
                .setConnectionTimeoutUnit(TimeUnit.SECONDS);
        input.pgConnectOptionsList().forEach(this::complete);
        return build(input.poolOptions());
    }

    private void complete(PgConnectOptions options) {
        options.setConnectTimeout((int) connectTimeout.toMillis())
                .setTcpKeepAlive(true)
                .setTcpNoDelay(true)
                .setPreparedStatementCacheSqlLimit(LONGEST_STATEMENT);
        startWith(options.getProperties());
        boolean verifies = switch (options.getSslMode()) {
            case VERIFY_CA, VERIFY_FULL -> true;
            default -> false;
        };
        if (!verifies && options.getTrustOptions() == null) {
            // as libpq and JDBC have it: these modes encrypt, and do not ask who it is
            options.setTrustAll(true);
        }
    }

    /** What the startup message says: no more than poolers understand. */
    private static void startWith(Map<String, String> properties) {
        properties.remove("extra_float_digits");
        properties.put("client_encoding", "utf8");
        properties.put("DateStyle", "ISO");
        String ofTheDriver = PgConnectOptions.DEFAULT_PROPERTIES.get(NAME);
        if (properties.getOrDefault(NAME, ofTheDriver).equals(ofTheDriver)) {
            properties.put(NAME, "agent-sessions");
        }
    }

    /** Another pool with the same settings; its connections live on the event loop that asks for them. */
    Pool create(int connections) {
        // one name for all of them: they are measured together
        return build(new PoolOptions(input.poolOptions()).setName("statements").setMaxSize(connections));
    }

    private Pool build(PoolOptions pool) {
        List<SqlConnectOptions> options = new ArrayList<>(input.pgConnectOptionsList());
        return ClientBuilder.pool(driver)
                .with(pool)
                .connectingTo(options)
                .using(input.vertx())
                .build();
    }
}
