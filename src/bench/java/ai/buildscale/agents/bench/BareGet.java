package ai.buildscale.agents.bench;

import ai.buildscale.agents.session.SessionStatements;
import io.vertx.core.AbstractVerticle;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.pgclient.PgBuilder;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.Tuple;
import java.util.UUID;

/**
 * The limit of {@link GetRow}: the service's select behind a bare Vert.x server, one event loop with a pool of its own
 * per core; no token, no routing, no types.
 */
public final class BareGet extends AbstractVerticle {
    private final PgConnectOptions database;
    private final int port;
    private final int connections;
    private Pool pool;

    private BareGet(PgConnectOptions database, int port, int connections) {
        this.database = database;
        this.port = port;
        this.connections = connections;
    }

    /** @param arguments port, database URL, connections to Postgres in all */
    public static void main(String... arguments) {
        int port = Integer.parseInt(arguments[0]);
        PgConnectOptions database = PgConnectOptions.fromUri(arguments[1]).setCachePreparedStatements(true);
        int loops = Runtime.getRuntime().availableProcessors();
        int connections = Math.max(1, Integer.parseInt(arguments[2]) / loops);
        Vertx.vertx()
                .deployVerticle(
                        () -> new BareGet(database, port, connections), new DeploymentOptions().setInstances(loops));
    }

    @Override
    public void start(Promise<Void> started) {
        pool = PgBuilder.pool()
                .connectingTo(database)
                .with(new PoolOptions().setMaxSize(connections))
                .using(vertx)
                .build();
        vertx.createHttpServer()
                .requestHandler(this::answer)
                .listen(port, "127.0.0.1")
                .<Void>mapEmpty()
                .onComplete(started);
    }

    private void answer(HttpServerRequest request) {
        UUID id = UUID.fromString(request.path().substring(request.path().lastIndexOf('/') + 1));
        pool.preparedQuery(SessionStatements.get())
                .execute(Tuple.of(id, Lab.USER))
                .onSuccess(rows -> write(request, rows))
                .onFailure(_ -> request.response().setStatusCode(500).end());
    }

    private static void write(HttpServerRequest request, RowSet<Row> rows) {
        if (rows.size() == 0) {
            request.response().setStatusCode(404).end();
        } else {
            request.response()
                    .putHeader("Content-Type", "application/json")
                    .end(rows.iterator().next().toJson().toBuffer());
        }
    }
}
