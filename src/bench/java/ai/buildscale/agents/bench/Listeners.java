package ai.buildscale.agents.bench;

import io.vertx.core.AbstractVerticle;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.NetSocket;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Many clients of one event stream, as lean as can be: raw sockets that count the ends of events, and read the time of
 * sending ({@code t=<nanoseconds>.}) where it is asked for.
 */
final class Listeners implements AutoCloseable {
    private static final byte[] MARK = {'t', '='};
    private static final int LATENCIES = 2_000_000;

    private final Vertx vertx = Vertx.vertx();
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();
    private final AtomicLong events = new AtomicLong();
    private final long[] latencies = new long[LATENCIES];
    private final AtomicInteger measured = new AtomicInteger();
    private volatile boolean timed;

    /** Opens them all; returns once each has had its first bytes. */
    static Listeners open(int count, int port, String path, String token) throws InterruptedException {
        Listeners listeners = new Listeners();
        String request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + port
                + "\r\nAccept: text/event-stream\r\nAuthorization: Bearer " + token + "\r\n\r\n";
        int loops = Runtime.getRuntime().availableProcessors();
        for (int i = 0; i < loops; i++) {
            int share = count / loops + (i < count % loops ? 1 : 0);
            listeners.vertx.deployVerticle(listeners.new Group(share, port, request), new DeploymentOptions());
        }
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (listeners.open.get() < count) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(listeners.open.get() + " of " + count + " streams opened");
            }
            Thread.sleep(20);
        }
        return listeners;
    }

    long events() {
        return events.get();
    }

    /** Streams that the server has cut off. */
    int cutOff() {
        return closed.get();
    }

    /** From now on the time of sending is read from each event. */
    void time() {
        measured.set(0);
        timed = true;
    }

    /** The latency that this part of the events stayed below, in milliseconds. */
    double latencyMillis(double part) {
        int count = Math.min(measured.get(), LATENCIES);
        long[] sorted = Arrays.copyOf(latencies, count);
        Arrays.sort(sorted);
        return count == 0 ? Double.NaN : sorted[(int) Math.min(count - 1, Math.round(part * count))] / 1e6;
    }

    @Override
    public void close() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    private final class Group extends AbstractVerticle {
        private final int count;
        private final int port;
        private final String request;
        private int asked;

        Group(int count, int port, String request) {
            this.count = count;
            this.port = port;
            this.request = request;
        }

        @Override
        public void start() {
            NetClient client = vertx.createNetClient(new NetClientOptions().setReceiveBufferSize(65_536));
            for (int i = 0; i < Math.min(50, count); i++) {
                next(client);
            }
        }

        private void next(NetClient client) {
            if (asked < count) {
                asked++;
                client.connect(port, "127.0.0.1").onSuccess(socket -> listen(client, socket));
            }
        }

        private void listen(NetClient client, NetSocket socket) {
            boolean[] state = new boolean[2];
            socket.handler(bytes -> {
                if (!state[0]) {
                    state[0] = true;
                    open.incrementAndGet();
                    next(client);
                } else {
                    count(bytes, state);
                }
            });
            socket.closeHandler(_ -> closed.incrementAndGet());
            socket.write(request);
        }
    }

    /** Adds the ends of events in these bytes; {@code state[1]} says whether the bytes before ended in a new line. */
    private void count(Buffer buffer, boolean[] state) {
        byte[] bytes = buffer.getBytes();
        boolean newLine = state[1];
        int ends = 0;
        for (byte b : bytes) {
            if (b == '\n') {
                ends += newLine ? 1 : 0;
                newLine = true;
            } else {
                newLine = false;
            }
        }
        state[1] = newLine;
        events.addAndGet(ends);
        if (timed) {
            long now = System.nanoTime();
            for (int at = find(bytes, 0); at >= 0; at = find(bytes, at)) {
                long sent = 0;
                while (at < bytes.length && bytes[at] >= '0' && bytes[at] <= '9') {
                    sent = sent * 10 + bytes[at++] - '0';
                }
                if (at < bytes.length && bytes[at] == '.') {
                    int place = measured.getAndIncrement();
                    if (place < LATENCIES) {
                        latencies[place] = now - sent;
                    }
                }
            }
        }
    }

    private static int find(byte[] bytes, int from) {
        for (int i = from; i + 1 < bytes.length; i++) {
            if (bytes[i] == MARK[0] && bytes[i + 1] == MARK[1]) {
                return i + 2;
            }
        }
        return -1;
    }
}
