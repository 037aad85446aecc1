package ai.buildscale.agents.platform.postgres;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultithreadEventLoopGroup;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.vertx.MutinyHelper;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.VertxException;
import io.vertx.core.impl.ContextInternal;
import io.vertx.core.impl.NoStackTraceThrowable;
import io.vertx.core.impl.VertxInternal;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlClient;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.pgclient.PgException;
import io.vertx.sqlclient.ClosedConnectionException;
import jakarta.annotation.PreDestroy;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Runs single statements, and transactions where one statement is not enough. Each event loop has a pool of its own,
 * so that a statement is sent and answered on the thread of its request; other threads use the common pool.
 */
@ApplicationScoped
public class Database implements Db {
    /** How long a pool may take to answer for readiness: less than whoever asks for that waits. */
    private static final Duration SOON = Duration.ofSeconds(3);

    /** Serialization failure and deadlock: Postgres asks to try again. */
    private static final Set<String> CONTENTION = Set.of("40001", "40P01");

    private final FailureLog failureLog =
            new FailureLog(Database.class, "Postgres does not serve, callers are answered 503", Duration.ofSeconds(5));
    private final MeterRegistry metrics;
    private final Pool common;
    private final PoolSettings settings;
    private final Connections open;
    private final Vertx vertx;
    private final int connections;
    private final Duration timeout;
    private final Map<EventLoop, Pool> pools = new ConcurrentHashMap<>();

    Database(
            Pool common,
            PoolSettings settings,
            Connections open,
            Vertx vertx,
            MeterRegistry metrics,
            @ConfigProperty(name = "database.connections") int connections,
            @ConfigProperty(name = "database.timeout") Duration timeout) {
        this.common = common;
        this.settings = settings;
        this.open = open;
        this.vertx = vertx;
        this.metrics = metrics;
        this.connections = connections;
        this.timeout = timeout;
        for (OutageReason outage : OutageReason.values()) {
            counter(outage);
        }
    }

    private Pool pool() {
        if (!(Vertx.currentContext() instanceof ContextInternal context) || !context.inThread()) {
            return common;
        }
        return pools.computeIfAbsent(context.nettyEventLoop(), loop -> {
            int loops = ((MultithreadEventLoopGroup) loop.parent()).executorCount();
            return create(loops);
        });
    }

    private Pool create(int loops) {
        return Pool.newInstance(settings.create(Math.max(2, connections / loops)));
    }

    /**
     * Makes the pools where no Vert.x context is current. One that is made within a request belongs to the HTTP server's
     * deployment and is closed with it, long before the process has handed over what it owns.
     */
    void start(@Observes @Priority(1) StartupEvent event) {
        // Quarkus makes the common pool when it is first used, and tells PoolSettings how
        common.size();
        EventLoopGroup group = ((VertxInternal) vertx).getEventLoopGroup();
        int loops = ((MultithreadEventLoopGroup) group).executorCount();
        group.forEach(loop -> pools.put((EventLoop) loop, create(loops)));
    }

    @PreDestroy
    void close() {
        pools.values().forEach(pool -> pool.close().subscribe().with(_ -> {}, _ -> {}));
    }

    @Override
    public Uni<RowSet<Row>> rows(String sql, Object... arguments) {
        return guarded(() -> execute(pool(), sql, arguments));
    }

    @Override
    public void afterCommit(Runnable action) {
        action.run();
    }

    @Override
    public <T> Uni<T> atomically(Function<Db, Uni<T>> work) {
        return inTransaction(work);
    }

    /** Runs the work in one transaction; it may run more than once if Postgres reports contention. */
    public <T> Uni<T> inTransaction(Function<Db, Uni<T>> work) {
        return guarded(() -> {
            List<Runnable> committed = new ArrayList<>();
            return pool().withTransaction(connection -> work.apply(new Transaction(connection, committed)))
                    .invoke(() -> committed.forEach(Runnable::run));
        });
    }

    /** Gives any work on the database its bounds: tried again on contention, {@code UNAVAILABLE} when it takes too long. */
    <T> Uni<T> guarded(Supplier<Uni<T>> work) {
        return work.get()
                .onFailure(Database::isContention)
                .recoverWithUni(() -> again(work))
                .ifNoItem()
                .after(timeout)
                .fail()
                .invoke(failureLog::over)
                .onFailure(e -> isAway(e) || isContention(e))
                .transform(this::unavailable);
    }

    private Problem unavailable(Throwable failure) {
        OutageReason outage = OutageReason.of(failure);
        if (outage == OutageReason.READ_ONLY) {
            open.replaceAll();
        }
        failureLog.met(failure);
        counter(outage).increment();
        return Problem.unavailable();
    }

    /**
     * Asks on each pool whether what a request would get from it takes writes; false if one does not. Fails with {@code
     * UNAVAILABLE} when one of them does not serve.
     */
    Uni<Boolean> takesWrites() {
        return guarded(() -> {
                    List<Uni<Boolean>> all = new ArrayList<>(List.of(takesWrites(common)));
                    pools.forEach((loop, pool) -> all.add(on(loop, takesWrites(pool))));
                    return Uni.join()
                            .all(all)
                            .andFailFast()
                            .map(each -> each.stream().allMatch(takes -> takes))
                            .ifNoItem()
                            .after(SOON)
                            .fail();
                })
                .invoke(takes -> {
                    if (!takes) {
                        open.replaceAll();
                    }
                });
    }

    private static Uni<Boolean> takesWrites(Pool pool) {
        return Uni.createFrom()
                .deferred(() -> execute(pool, "show transaction_read_only"))
                .map(rows -> rows.iterator().next().getString(0).equals("off"));
    }

    private <T> Uni<T> on(EventLoop loop, Uni<T> work) {
        Context context = ((VertxInternal) vertx)
                .createEventLoopContext(loop, null, Thread.currentThread().getContextClassLoader());
        return work.runSubscriptionOn(MutinyHelper.executor(context));
    }

    private Counter counter(OutageReason outage) {
        return metrics.counter("database.unavailable", "reason", outage.toString());
    }

    private static <T> Uni<T> again(Supplier<Uni<T>> work) {
        return Uni.createFrom()
                .deferred(work::get)
                .onFailure(Database::isContention)
                .retry()
                .withBackOff(Duration.ofMillis(5), Duration.ofMillis(100))
                .withJitter(0.5)
                .atMost(5);
    }

    private static Uni<RowSet<Row>> execute(SqlClient client, String sql, Object... arguments) {
        return client.preparedQuery(sql).execute(Tuple.from(arguments));
    }

    /** Two transactions met; also the case that two of them picked one place in the log (see next_position). */
    static boolean isContention(Throwable failure) {
        if (failure instanceof PgException pg) {
            return CONTENTION.contains(pg.getSqlState())
                    || "events_pkey".equals(pg.getConstraint())
                    || "chunks_pkey".equals(pg.getConstraint());
        }
        return failure.getCause() != null && isContention(failure.getCause());
    }

    /** Postgres cannot be reached, lets nobody in, is starting or stopping, is full, or does not answer in time. */
    public static boolean isAway(Throwable failure) {
        if (failure.getCause() != null && isAway(failure.getCause())) {
            return true;
        }
        if (failure instanceof PgException pg) {
            return pg.getSqlState() != null && OutageReason.ofState(pg.getSqlState()) != null;
        }
        return failure instanceof IOException
                || failure instanceof ClosedConnectionException
                || failure instanceof TimeoutException
                || failure instanceof io.smallrye.mutiny.TimeoutException
                // all that the driver says without an exception of its own is of connections: not active, closed, none
                // free
                || failure instanceof NoStackTraceThrowable
                || isPoolTimeout(failure);
    }

    /** No connection became free in time: the pool says so in one way for a transaction, in another for a query. */
    static boolean isPoolTimeout(Throwable failure) {
        return (failure instanceof NoStackTraceThrowable && "Timeout".equals(failure.getMessage()))
                || (failure instanceof VertxException && "Timeout waiting for connection".equals(failure.getMessage()));
    }

    /** The constraint that a unique or foreign key violation names, or null for any other failure. */
    public static String violatedConstraint(Throwable failure) {
        return failure instanceof PgException pg && pg.getSqlState().startsWith("23") ? pg.getConstraint() : null;
    }

    private record Transaction(SqlClient connection, List<Runnable> committed) implements Db {
        @Override
        public Uni<RowSet<Row>> rows(String sql, Object... arguments) {
            return execute(connection, sql, arguments);
        }

        @Override
        public <T> Uni<T> atomically(Function<Db, Uni<T>> work) {
            return work.apply(this);
        }

        @Override
        public void afterCommit(Runnable action) {
            committed.add(action);
        }
    }
}
