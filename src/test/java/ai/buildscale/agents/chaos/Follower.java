package ai.buildscale.agents.chaos;

import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.SseStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * Follows a workspace from its first event on, as an EventSource does: when the stream is cut, or silent for too long,
 * it goes on at another server after the last event it has read.
 */
final class Follower implements AutoCloseable {
    private final Supplier<Api> where;
    private final String path;
    private final Duration patience;
    private final List<SseStream.Event> received = new CopyOnWriteArrayList<>();
    private final Thread thread;
    private final AtomicInteger connections = new AtomicInteger();
    private volatile Throwable failure;
    private volatile boolean closed;

    private Follower(Supplier<Api> where, String workspace, Duration patience) {
        this.where = where;
        this.path = "/workspaces/" + workspace + "/events";
        this.patience = patience;
        this.thread = Thread.ofVirtual().unstarted(this::follow);
    }

    /**
     * @param where whom to ask, anew for each connection
     * @param patience the silence after which a connection is given up
     */
    static Follower of(Supplier<Api> where, String workspace, Duration patience) {
        Follower follower = new Follower(where, workspace, patience);
        follower.thread.start();
        return follower;
    }

    private void follow() {
        try {
            while (!closed) {
                try (SseStream stream = where.get().within(Duration.ofSeconds(2)).stream(
                        path, "Last-Event-ID", received.isEmpty() ? "0" : lastId())) {
                    if (stream.status() == 200) {
                        connections.incrementAndGet();
                        read(stream);
                    } else if (stream.status() != 503) {
                        throw new AssertionError("the stream was refused: " + stream.status());
                    }
                } catch (UncheckedIOException e) {
                    // another one may answer
                }
                TimeUnit.MILLISECONDS.sleep(50);
            }
        } catch (InterruptedException e) {
            // it was closed
        } catch (RuntimeException | AssertionError e) {
            failure = e;
        }
    }

    private void read(SseStream stream) throws InterruptedException {
        int signs = 0;
        int taken = 0;
        Instant lastSign = Instant.now();
        boolean ended = false;
        while (!closed && !ended && Instant.now().isBefore(lastSign.plus(patience))) {
            ended = stream.isEnded();
            List<SseStream.Event> events = stream.events();
            received.addAll(events.subList(taken, events.size()));
            taken = events.size();
            int now = taken + stream.comments().size();
            if (now > signs) {
                signs = now;
                lastSign = Instant.now();
            }
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    private String lastId() {
        return received.getLast().id();
    }

    /** Waits until it has read up to this position. */
    void awaitPosition(long position) {
        await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(20))
                .until(() -> {
                    if (failure != null) {
                        throw new AssertionError("the follower failed", failure);
                    }
                    return !received.isEmpty() && Long.parseLong(lastId()) >= position;
                });
    }

    List<SseStream.Event> received() {
        return List.copyOf(received);
    }

    int connections() {
        return connections.get();
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
