package ai.buildscale.agents.platform.http;

import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.net.impl.ConnectionBase;

/** Tells the state of the connection under a request, where Vert.x tells too little of it. */
final class ClientConnection {
    private ClientConnection() {}

    /**
     * Whether the client is still there. A request that waited behind another on its connection is dispatched even if
     * that connection has closed meanwhile, and is then told of no close.
     */
    static boolean isOpen(HttpServerRequest request) {
        return !(request.connection() instanceof ConnectionBase connection)
                || connection.channelHandlerContext().channel().isActive();
    }

    /**
     * Ends the connection at once, over HTTP/2 the stream. A reset lets HTTP/1 first send what waits: a client that reads
     * nothing would hold it for ever.
     */
    static void hangUp(HttpServerRequest request) {
        if (request.version() == HttpVersion.HTTP_2) {
            request.response().reset();
        } else if (request.connection() instanceof ConnectionBase connection) {
            // past Vert.x' own handler, which would wait until all is sent
            var _ = connection.channelHandlerContext().close();
        }
    }
}
