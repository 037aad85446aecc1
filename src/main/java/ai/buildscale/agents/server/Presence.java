package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.postgres.Connections;
import ai.buildscale.agents.platform.postgres.SqlText;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.pgclient.PgConnection;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Holds an advisory lock on a connection of its own, which shows the others that this process lives: Postgres frees the
 * lock as soon as the process has died, long before the lease runs out.
 */
@ApplicationScoped
class Presence {
    private static final long AGAIN_MILLIS = 500;
    private static final Duration PATIENCE = Duration.ofSeconds(1);
    private static final String HOLD = SqlText.fill(
            "select pg_try_advisory_lock_shared({presence_locks}, presence_key($1)) as held",
            "presence_locks",
            Integer.toString(ServerRepository.PRESENCE_LOCKS));

    private final FailureLog failureLog =
            new FailureLog(Presence.class, "this server's presence lock is not held, its death would be noticed late");
    private final Pool pool;
    private final Connections connections;
    private final Vertx vertx;
    /** One attempt at a time: the check and the end of a connection may both find out that it is dead. */
    private final AtomicBoolean connecting = new AtomicBoolean();

    private volatile SqlConnection connection;
    private volatile UUID server;
    private volatile Runnable changed = () -> {};
    private volatile boolean held;
    private volatile long heldSince;
    private volatile boolean stopping;

    Presence(Pool pool, Connections connections, Vertx vertx) {
        this.pool = pool;
        this.connections = connections;
        this.vertx = vertx;
    }

    /** Holds the lock for this server from now on, in place of the one before; tells when it has it or has lost it. */
    void hold(UUID server, Runnable changed) {
        this.server = server;
        this.changed = changed;
        held = false;
        SqlConnection old = connection;
        connection = null;
        if (old != null) {
            // with its lock: that member is gone
            connections.drop(old);
        }
        connect(server);
    }

    boolean isHeld() {
        return held;
    }

    boolean isHeldFor(Duration atLeast) {
        return held && System.nanoTime() - heldSince > atLeast.toNanos();
    }

    void stop() {
        stopping = true;
    }

    private void connect(UUID wanted) {
        if (stopping || !wanted.equals(server) || !connecting.compareAndSet(false, true)) {
            return;
        }
        pool.getConnection()
                .call(fresh -> {
                    PgConnection.cast(fresh.getDelegate()).closeHandler(_ -> closed(fresh, wanted));
                    return fresh.preparedQuery(HOLD)
                            .execute(Tuple.of(wanted))
                            .ifNoItem()
                            .after(PATIENCE)
                            .fail()
                            .call(rows ->
                                    took(wanted, fresh, rows.iterator().next().getBoolean("held")))
                            .onFailure()
                            .invoke(() -> connections.drop(fresh));
                })
                .onTermination()
                .invoke(() -> connecting.set(false))
                .subscribe()
                .with(
                        _ -> {
                            failureLog.over();
                            goOn(wanted);
                        },
                        e -> {
                            failureLog.met(e);
                            notHeld(wanted);
                            goOn(wanted);
                        });
    }

    /** This server may have joined under another id meanwhile. */
    private void goOn(UUID wanted) {
        UUID now = server;
        if (!wanted.equals(now)) {
            connect(now);
        }
    }

    private Uni<Void> took(UUID wanted, SqlConnection fresh, boolean locked) {
        if (!wanted.equals(server)) {
            connections.drop(fresh);
            return Uni.createFrom().voidItem();
        }
        SqlConnection old = connection;
        connection = fresh;
        if (old != null) {
            connections.drop(old);
        }
        heldSince = System.nanoTime();
        held = locked;
        changed.run();
        return Uni.createFrom().voidItem();
    }

    /**
     * Finds out whether the connection still lives: one that nobody uses may be cut without a word. It is kept until
     * another has the lock, for it may only be slow.
     */
    Uni<Void> check() {
        SqlConnection now = connection;
        return now == null
                ? Uni.createFrom().voidItem()
                : now.query("select 1")
                        .execute()
                        .ifNoItem()
                        .after(PATIENCE)
                        .fail()
                        .replaceWithVoid()
                        .onFailure()
                        .recoverWithUni(e -> {
                            failureLog.met(e);
                            held = false;
                            connect(server);
                            return Uni.createFrom().voidItem();
                        })
                        // it goes on to its end, also when nobody waits for it any more
                        .memoize()
                        .indefinitely();
    }

    private void closed(SqlConnection one, UUID wanted) {
        if (one.equals(connection)) {
            connection = null;
            notHeld(wanted);
        }
    }

    /** Tells so, and tries again; a connection that is only slow is kept, and with it the lock. */
    private void notHeld(UUID wanted) {
        if (wanted.equals(server) && !stopping) {
            held = false;
            changed.run();
            vertx.setTimer(AGAIN_MILLIS, _ -> {
                if (!held) {
                    connect(wanted);
                }
            });
        }
    }
}
