package ai.buildscale.agents.browser;

import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** One address before servers that come and go, as a load balancer is; it may be told to cut what it carries. */
final class Front implements AutoCloseable {
    private final ServerSocket listener;
    private final Set<Socket> carried = ConcurrentHashMap.newKeySet();
    private volatile Service target;

    private Front(ServerSocket listener) {
        this.listener = listener;
    }

    /** On a free port. */
    static Front open() {
        try {
            Front front = new Front(new ServerSocket(0, 64, InetAddress.getLoopbackAddress()));
            Thread.ofVirtual().start(front::accept);
            return front;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String url() {
        return "http://127.0.0.1:" + listener.getLocalPort();
    }

    /** New connections go there from now on; none is taken where it is null. */
    void leadsTo(Service service) {
        target = service;
    }

    /** Ends every connection without a word. */
    void cut() {
        carried.forEach(Front::end);
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket client = listener.accept();
                carried.add(client);
                Thread.ofVirtual().start(() -> carry(client));
            } catch (IOException e) {
                // it was closed
            }
        }
    }

    private void carry(Socket client) {
        Service service = target;
        try (client;
                Socket server = service == null ? null : new Socket(InetAddress.getLoopbackAddress(), service.port())) {
            if (server != null) {
                carried.add(server);
                Thread.ofVirtual().start(() -> pump(client, server));
                pump(server, client);
            }
        } catch (IOException e) {
            // the server is not there
        } finally {
            carried.remove(client);
        }
    }

    private void pump(Socket from, Socket to) {
        try (from;
                to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException e) {
            // one of them was cut
        } finally {
            carried.remove(from);
        }
    }

    private static void end(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        cut();
    }
}
