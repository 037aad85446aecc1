package ai.buildscale.agents.server;

import ai.buildscale.agents.platform.Trouble;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.pgclient.PgConnection;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An advisory lock on a connection of its own: Postgres frees it as soon as this process has died, which the others see
 * long before the lease runs out.
 */
@ApplicationScoped
class Presence {
    private static final long AGAIN_MILLIS = 500;
    private static final String HOLD = "select pg_try_advisory_lock_shared(1936028260, presence_key($1)) as held";

    private final Trouble trouble =
            new Trouble(Presence.class, "this server's presence lock is not held, its death would be noticed late");
    private final Pool pool;
    private final Vertx vertx;
    private volatile SqlConnection connection;
    private volatile UUID server;
    private volatile Runnable changed = () -> {};
    private volatile boolean held;
    private volatile boolean stopping;

    Presence(Pool pool, Vertx vertx) {
        this.pool = pool;
        this.vertx = vertx;
    }

    /** Holds the lock for this server from now on, in place of the one before; tells when it has it or has lost it. */
    void hold(UUID server, Runnable changed) {
        this.server = server;
        this.changed = changed;
        held = false;
        SqlConnection old = connection;
        if (old == null) {
            connect(server);
        } else {
            // its end connects again, for the new one
            old.close().subscribe().with(_ -> {}, _ -> {});
            connection = null;
            connect(server);
        }
    }

    boolean isHeld() {
        return held;
    }

    void stop() {
        stopping = true;
    }

    private void connect(UUID wanted) {
        if (stopping || !wanted.equals(server)) {
            return;
        }
        AtomicBoolean lost = new AtomicBoolean();
        pool.getConnection()
                .call(fresh -> {
                    PgConnection.cast(fresh.getDelegate()).closeHandler(_ -> lost(wanted, lost));
                    return fresh.preparedQuery(HOLD)
                            .execute(Tuple.of(wanted))
                            .invoke(rows -> {
                                connection = fresh;
                                held = wanted.equals(server)
                                        && rows.iterator().next().getBoolean("held");
                                changed.run();
                            })
                            .onFailure()
                            .call(fresh::close);
                })
                .subscribe()
                .with(_ -> trouble.over(), e -> {
                    trouble.met(e);
                    lost(wanted, lost);
                });
    }

    private void lost(UUID wanted, AtomicBoolean lost) {
        if (lost.compareAndSet(false, true) && wanted.equals(server) && !stopping) {
            held = false;
            connection = null;
            changed.run();
            vertx.setTimer(AGAIN_MILLIS, _ -> connect(wanted));
        }
    }
}
