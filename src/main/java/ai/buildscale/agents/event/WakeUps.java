package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.Migrations;
import ai.buildscale.agents.platform.Trouble;
import io.quarkus.runtime.ShutdownEvent;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.pgclient.PgConnection;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Tells this server's tail, and those of the others, that the log has grown. One {@code notify} every few
 * milliseconds at most, never in the transaction that appends (it would take a global lock in each commit); one
 * listening connection. A wake-up that is lost costs one poll interval.
 */
@ApplicationScoped
public class WakeUps {
    private static final String CHANNEL = "agent_events";
    private static final long RELISTEN_MILLIS = 1_000;

    private final Trouble trouble = new Trouble(WakeUps.class, "wake-ups are not sent, other servers poll");
    private final Trouble deaf = new Trouble(WakeUps.class, "wake-ups are not heard, this server polls");
    private final Pool pool;
    private final Vertx vertx;
    private final EventTail tail;
    private final long notifyMillis;
    private final String self = UUID.randomUUID().toString();
    private final AtomicBoolean notifying = new AtomicBoolean();
    private volatile boolean again;
    private volatile boolean stopping;

    WakeUps(Pool pool, Vertx vertx, EventTail tail, EventConfig config) {
        this.pool = pool;
        this.vertx = vertx;
        this.tail = tail;
        this.notifyMillis = Math.max(1, config.notifyInterval().toMillis());
    }

    void start(@Observes Migrations.Applied event) {
        listen();
    }

    void stop(@Observes ShutdownEvent event) {
        stopping = true;
    }

    /** Something was appended and committed. May be called from any thread, as often as one likes. */
    public void appended() {
        tail.wake();
        // before the attempt, so that whoever is about to rest sees it
        again = true;
        if (notifying.compareAndSet(false, true)) {
            send();
        }
    }

    private void send() {
        again = false;
        pool.preparedQuery("select pg_notify('" + CHANNEL + "', $1)")
                .execute(Tuple.of(self))
                .subscribe()
                .with(
                        _ -> {
                            trouble.over();
                            rest();
                        },
                        e -> {
                            trouble.met(e);
                            rest();
                        });
    }

    private void rest() {
        vertx.setTimer(notifyMillis, _ -> {
            if (again) {
                send();
            } else {
                notifying.set(false);
                if (again && notifying.compareAndSet(false, true)) {
                    send();
                }
            }
        });
    }

    private void listen() {
        if (stopping) {
            return;
        }
        // a connection that ends while it begins to listen tells so twice; two listeners would never become one again
        AtomicBoolean lost = new AtomicBoolean();
        pool.getConnection()
                .call(connection -> {
                    PgConnection pg = PgConnection.cast(connection.getDelegate());
                    pg.notificationHandler(notification -> {
                        if (!self.equals(notification.getPayload())) {
                            tail.wake();
                        }
                    });
                    pg.closeHandler(_ -> listenLater(lost));
                    return connection
                            .query("listen " + CHANNEL)
                            .execute()
                            .onFailure()
                            .call(connection::close);
                })
                .subscribe()
                .with(_ -> deaf.over(), e -> {
                    deaf.met(e);
                    listenLater(lost);
                });
    }

    private void listenLater(AtomicBoolean lost) {
        if (!stopping && lost.compareAndSet(false, true)) {
            tail.wake();
            vertx.setTimer(RELISTEN_MILLIS, _ -> listen());
        }
    }
}
