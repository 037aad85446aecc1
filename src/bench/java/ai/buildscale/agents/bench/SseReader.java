package ai.buildscale.agents.bench;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Many event streams read by one thread, as cheaply as they can be: it only looks for the marker that each event's text
 * carries once, followed by the time it was sent at.
 */
final class SseReader implements Runnable {
    static final char MARKER = '~';
    /** Of {@link System#nanoTime}, which all processes of a machine share. */
    static final int DIGITS = 16;

    private static final int BUFFER_BYTES = 256 * 1024;
    private static final int OPENING_AT_ONCE = 100;
    private static final byte[] OK = "HTTP/1.1 200".getBytes(StandardCharsets.US_ASCII);

    private final Selector selector = Selector.open();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final Queue<SocketChannel> arriving = new ConcurrentLinkedQueue<>();
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();
    private final AtomicLong delivered = new AtomicLong();
    private volatile boolean recording;
    private int[] micros = new int[1 << 16];
    private int recorded;

    /** A stream whose events may be cut anywhere. */
    private static final class Stream {
        boolean open;
        int missing;
        long stamp;
    }

    SseReader() throws IOException {
        Thread.ofPlatform().daemon().name("reader").start(this);
    }

    /** Opens streams until there are so many. */
    void open(int wanted, InetSocketAddress server, byte[] request) throws IOException, InterruptedException {
        for (int i = open(); i < wanted; i++) {
            while (i - open() >= OPENING_AT_ONCE) {
                Thread.sleep(1);
            }
            SocketChannel channel = SocketChannel.open(server);
            channel.write(ByteBuffer.wrap(request));
            channel.configureBlocking(false);
            arriving.add(channel);
            selector.wakeup();
        }
        while (open() < wanted) {
            Thread.sleep(1);
        }
    }

    int open() {
        return open.get();
    }

    int closed() {
        return closed.get();
    }

    long delivered() {
        return delivered.get();
    }

    /** Begins to keep the latency of each event. */
    void record() {
        recorded = 0;
        recording = true;
    }

    /** In microseconds, sorted; empty if none was kept. */
    int[] recorded() {
        recording = false;
        int[] sorted = Arrays.copyOf(micros, recorded);
        Arrays.sort(sorted);
        return sorted;
    }

    @Override
    public void run() {
        try {
            while (true) {
                selector.select(this::ready);
                for (SocketChannel channel = arriving.poll(); channel != null; channel = arriving.poll()) {
                    channel.register(selector, SelectionKey.OP_READ, new Stream());
                }
            }
        } catch (IOException e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private void ready(SelectionKey key) {
        Stream stream = (Stream) key.attachment();
        buffer.clear();
        try {
            if (((SocketChannel) key.channel()).read(buffer) < 0) {
                end(key);
                return;
            }
        } catch (IOException e) {
            end(key);
            return;
        }
        buffer.flip();
        if (!stream.open) {
            opened(stream);
        }
        scan(stream, System.nanoTime());
    }

    private void end(SelectionKey key) {
        key.cancel();
        closed.incrementAndGet();
    }

    private void opened(Stream stream) {
        for (int i = 0; i < OK.length; i++) {
            if (buffer.get(i) != OK[i]) {
                System.err.println(StandardCharsets.UTF_8.decode(buffer));
                System.exit(1);
            }
        }
        stream.open = true;
        open.incrementAndGet();
    }

    private void scan(Stream stream, long now) {
        int limit = buffer.limit();
        int at = 0;
        long found = 0;
        if (stream.missing > 0) {
            at = stamp(stream, at, now);
        }
        while (at < limit) {
            if (at + 8 <= limit && !holdsMarker(buffer.getLong(at))) {
                at += 8;
            } else if (buffer.get(at++) == MARKER) {
                found++;
                stream.stamp = 0;
                stream.missing = DIGITS;
                at = stamp(stream, at, now);
            }
        }
        if (found > 0) {
            delivered.addAndGet(found);
        }
    }

    /** Whether any of eight bytes is the marker (the classic test for a zero byte). */
    private static boolean holdsMarker(long eight) {
        long zero = eight ^ (MARKER * 0x0101010101010101L);
        return ((zero - 0x0101010101010101L) & ~zero & 0x8080808080808080L) != 0;
    }

    private int stamp(Stream stream, int from, long now) {
        int at = from;
        while (stream.missing > 0 && at < buffer.limit()) {
            stream.stamp = stream.stamp * 10 + buffer.get(at++) - '0';
            stream.missing--;
        }
        if (stream.missing == 0 && recording) {
            if (recorded == micros.length) {
                micros = Arrays.copyOf(micros, 2 * recorded);
            }
            micros[recorded++] = (int) ((now - stream.stamp) / 1_000);
        }
        return at;
    }
}
