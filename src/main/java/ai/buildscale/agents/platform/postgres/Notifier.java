package ai.buildscale.agents.platform.postgres;

import ai.buildscale.agents.platform.schedule.SingleFlight;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.quarkus.runtime.ShutdownEvent;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.pgclient.PgConnection;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/**
 * Notifies this server and the others that the log has grown, and which servers have work to do. One {@code notify}
 * every few milliseconds at most, never in the transaction that appends (it would take a global lock in each commit);
 * one listening connection. A wake-up that is lost costs one poll interval.
 */
@ApplicationScoped
public class Notifier {
    private static final String CHANNEL = "agent_events";
    private static final String TELL = SqlText.fill("select pg_notify('{channel}', $1)", "channel", CHANNEL);
    private static final String LISTEN = SqlText.fill("listen {channel}", "channel", CHANNEL);
    private static final long RELISTEN_MILLIS = 1_000;
    private static final Logger LOG = Logger.getLogger(Notifier.class);

    private final FailureLog failureLog = new FailureLog(Notifier.class, "wake-ups are not sent, other servers poll");
    private final FailureLog deaf = new FailureLog(Notifier.class, "wake-ups are not heard, this server polls");
    private final Pool pool;
    private final Connections connections;
    private final Vertx vertx;
    private final String self = UUID.randomUUID().toString();
    private final List<Consumer<Notification>> listeners = new CopyOnWriteArrayList<>();
    private final Set<UUID> concerned = ConcurrentHashMap.newKeySet();
    private final SingleFlight sending;
    private volatile boolean stopping;

    Notifier(Pool pool, Connections connections, Vertx vertx, NotifierConfig config) {
        this.pool = pool;
        this.connections = connections;
        this.vertx = vertx;
        Duration rest = config.notifyInterval();
        this.sending = SingleFlight.onLoop(
                vertx, rest.toMillis() < 1 ? Duration.ofMillis(1) : rest, this::send, failureLog::met);
    }

    void start(@Observes Migrations.Applied event) {
        listen();
    }

    void stop(@Observes ShutdownEvent event) {
        stopping = true;
    }

    /** Calls the listener at each wake-up, this server's own among them, on any thread; it must not block. */
    public void listen(Consumer<Notification> listener) {
        listeners.add(listener);
    }

    /** Something was appended and committed. May be called from any thread, as often as one likes. */
    public void appended() {
        tell(Set.of());
    }

    /** The same, and these servers have something to do about it. */
    public void concerns(Set<UUID> servers) {
        concerned.addAll(servers);
        tell(servers);
    }

    private void woken(Notification wake) {
        for (Consumer<Notification> listener : listeners) {
            try {
                listener.accept(wake);
            } catch (RuntimeException e) {
                // the others hear of it all the same, and this one looks by itself once a second
                LOG.error("a listener failed", e);
            }
        }
    }

    private void tell(Set<UUID> servers) {
        woken(Notification.of(servers));
        sending.trigger();
    }

    private Uni<?> send() {
        Set<UUID> servers = new HashSet<>(concerned);
        concerned.removeAll(servers);
        return pool.preparedQuery(TELL).execute(Tuple.of(payload(servers))).invoke(failureLog::over);
    }

    private String payload(Set<UUID> servers) {
        return self + ':' + Notification.of(servers).text();
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
                        String payload = notification.getPayload();
                        int colon = payload.indexOf(':');
                        if (!self.equals(payload.substring(0, Math.max(0, colon)))) {
                            woken(Notification.read(payload.substring(colon + 1)));
                        }
                    });
                    pg.closeHandler(_ -> listenLater(lost));
                    return connection
                            .query(LISTEN)
                            .execute()
                            // what it is asked when it rests: Postgres goes on to show who listens
                            .invoke(() -> connections.ask(connection, LISTEN))
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
            woken(new Notification(Set.of(), true));
            vertx.setTimer(RELISTEN_MILLIS, _ -> listen());
        }
    }
}
