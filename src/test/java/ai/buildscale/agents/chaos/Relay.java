package ai.buildscale.agents.chaos;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/**
 * The network between a server and Postgres. While it is cut, nothing passes and nobody is told: connections stay open,
 * new ones get no answer; once it is healed, what was under way arrives. What is silenced never speaks again, as behind
 * a router that has forgotten it.
 */
public final class Relay implements AutoCloseable {
    private final ServerSocket listener;
    private final int target;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final List<Socket> clients = new CopyOnWriteArrayList<>();
    private final Set<Socket> silent = ConcurrentHashMap.newKeySet();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile CountDownLatch open = new CountDownLatch(0);
    private volatile boolean swallowing;

    private Relay(ServerSocket listener, int target) {
        this.listener = listener;
        this.target = target;
    }

    /** A relay to this port, on a free port of its own. */
    public static Relay to(int target) {
        try {
            Relay relay = new Relay(new ServerSocket(0, 64, InetAddress.getLoopbackAddress()), target);
            Thread.ofVirtual().start(relay::accept);
            return relay;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public int port() {
        return listener.getLocalPort();
    }

    public void cut() {
        open = new CountDownLatch(1);
    }

    public void heal() {
        open.countDown();
    }

    /** Silences, of as many connections as are open, every so many-th, for good; new ones pass. */
    public void silence(int every) {
        for (int i = 0; i < clients.size(); i += every) {
            silent.add(clients.get(i));
        }
    }

    /** From now on new connections are taken and silent from the beginning; or not any more. */
    public void swallow(boolean all) {
        swallowing = all;
    }

    /** How many silent connections the server has not given up yet. */
    public long silent() {
        return clients.stream().filter(silent::contains).count();
    }

    private void accept() {
        try (listener) {
            while (true) {
                Socket client = listener.accept();
                sockets.add(client);
                clients.add(client);
                if (swallowing) {
                    silent.add(client);
                }
                Thread.ofVirtual().start(() -> connect(client));
            }
        } catch (IOException e) {
            // it was closed
        }
    }

    private void connect(Socket client) {
        try {
            open.await();
            Socket server = new Socket(InetAddress.getLoopbackAddress(), target);
            sockets.add(server);
            client.setTcpNoDelay(true);
            server.setTcpNoDelay(true);
            Thread.ofVirtual().start(() -> pump(client, server, client));
            pump(server, client, client);
        } catch (IOException e) {
            end(client);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void pump(Socket from, Socket to, Socket client) {
        byte[] some = new byte[16_384];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int n = read(in, some); n >= 0; n = read(in, some)) {
                open.await();
                if (!silent.contains(client)) {
                    out.write(some, 0, n);
                }
            }
            if (from.equals(client)) {
                clients.remove(client);
            }
            // the news that one end has closed does not get through either
            open.await();
            if (silent.contains(client)) {
                closed.await();
            }
        } catch (IOException e) {
            // the other end has closed
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        end(from);
        end(to);
    }

    /** An end that is cut off abruptly is as one that closes. */
    private static int read(InputStream in, byte[] some) {
        try {
            return in.read(some);
        } catch (IOException e) {
            return -1;
        }
    }

    private void end(Socket socket) {
        sockets.remove(socket);
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
        heal();
        closed.countDown();
        sockets.forEach(this::end);
    }
}
