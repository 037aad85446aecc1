package ai.buildscale.agents.platform.postgres;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.impl.VertxInternal;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.SocketAddress;
import io.vertx.core.net.impl.NetClientImpl;
import io.vertx.pgclient.impl.PgConnectionFactory;
import io.vertx.pgclient.spi.PgDriver;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.SqlConnectOptions;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.spi.ConnectionFactory;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The driver as it is, but that each connection is followed by {@link Connections} from its first byte on, and is told
 * its settings by a statement before anybody gets it.
 */
final class WatchedDriver extends PgDriver {
    private final Connections connections;
    private final String settings;

    /** @param settings a statement whose last column says whether the connection is read-only */
    WatchedDriver(Connections connections, String settings) {
        this.connections = connections;
        this.settings = settings;
    }

    @Override
    public ConnectionFactory createConnectionFactory(
            Vertx vertx, Supplier<? extends Future<? extends SqlConnectOptions>> database) {
        return new Factory((VertxInternal) vertx, database);
    }

    private final class Factory extends PgConnectionFactory {
        private final Map<JsonObject, NetClient> clients = new HashMap<>();

        Factory(VertxInternal vertx, Supplier<? extends Future<? extends SqlConnectOptions>> database) {
            super(vertx, database);
        }

        @Override
        public Future<SqlConnection> connect(Context context, SqlConnectOptions options) {
            return super.connect(context, options)
                    .compose(this::prepare)
                    .recover(e -> Future.failedFuture(
                            Database.isAway(e)
                                    ? e
                                    : new IOException("no connection can be opened: " + e.getMessage(), e)));
        }

        private Future<SqlConnection> prepare(SqlConnection connection) {
            Pulse pulse = Pulse.of(connection);
            pulse.opened(connection);
            return connection
                    .query(settings)
                    .execute()
                    .onSuccess(answer -> pulse.learned(Pulse.isOn(last(answer))))
                    .onFailure(_ -> pulse.close())
                    .map(connection);
        }

        private static RowSet<Row> last(RowSet<Row> answer) {
            RowSet<Row> last = answer;
            while (last.next() != null) {
                last = last.next();
            }
            return last;
        }

        @Override
        protected synchronized NetClient netClient(NetClientOptions options) {
            NetClientOptions own = new NetClientOptions(options).setReconnectAttempts(0);
            if (own.getHostnameVerificationAlgorithm() == null) {
                own.setHostnameVerificationAlgorithm("");
            }
            return clients.computeIfAbsent(own.toJson(), _ -> {
                Client client = new Client(own);
                clientCloseFuture.add(client);
                return client;
            });
        }

        private final class Client extends NetClientImpl {
            Client(NetClientOptions options) {
                super(vertx, null, options, clientCloseFuture);
            }

            @Override
            public Future<NetSocket> connect(SocketAddress address, String serverName) {
                return super.connect(address, serverName).onSuccess(socket -> Pulse.take(socket, connections));
            }
        }
    }
}
