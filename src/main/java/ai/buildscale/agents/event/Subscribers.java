package ai.buildscale.agents.event;

import io.micrometer.core.instrument.MeterRegistry;
import io.netty.channel.EventLoop;
import io.quarkus.runtime.Startup;
import io.vertx.core.Context;
import io.vertx.core.impl.ContextInternal;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Holds the open streams of this server, by the event loop that writes them: a batch visits each loop once. */
@Startup // its metrics are there before it is needed
@ApplicationScoped
class Subscribers {
    private final Map<EventLoop, EventLoopSubscribers> loops = new ConcurrentHashMap<>();
    private final AtomicInteger open = new AtomicInteger();
    private final EventConfig config;
    private final Clock clock;
    private volatile long delivered;
    private volatile long deliveredChunks;
    private volatile boolean ended;

    Subscribers(EventConfig config, Clock clock, MeterRegistry metrics) {
        this.config = config;
        this.clock = clock;
        metrics.gauge("events.streams.open", open);
    }

    /** Those of the context's loop. Called by the tail alone. */
    EventLoopSubscribers of(Context context) {
        ContextInternal internal = (ContextInternal) context;
        return loops.computeIfAbsent(
                internal.nettyEventLoop(),
                _ -> new EventLoopSubscribers(
                        internal.unwrap(), delivered, deliveredChunks, config.keepAlive(), clock));
    }

    /**
     * Takes one of the places for streams, from the moment one is asked for: so the tail does not fall asleep before it
     * joins, and those that only catch up yet are counted. False if there is none.
     */
    boolean enter() {
        if (open.incrementAndGet() > config.maxStreams()) {
            open.decrementAndGet();
            return false;
        }
        return true;
    }

    void leave() {
        open.decrementAndGet();
    }

    boolean none() {
        return open.get() == 0;
    }

    /** Hands a batch to every loop; the cursors are how far the tail has read events and chunks. Called by the tail alone. */
    void deliver(List<SseFrame> frames, long cursor, long chunkCursor) {
        delivered = cursor;
        deliveredChunks = chunkCursor;
        loops.values().forEach(loop -> loop.deliver(frames, cursor, chunkCursor));
    }

    void forEach(Consumer<Subscriber> action) {
        loops.values().forEach(loop -> loop.forEach(action));
    }

    /** Who follows what, to be compared with the members' table. */
    Set<Subscriber.Follower> followers() {
        Set<Subscriber.Follower> all = ConcurrentHashMap.newKeySet();
        loops.values().forEach(loop -> all.addAll(loop.followers()));
        return all;
    }

    /** Ends every stream, and takes none until {@link #open}. */
    void endAll() {
        ended = true;
        forEach(Subscriber::end);
    }

    void open() {
        ended = false;
    }

    boolean ended() {
        return ended;
    }
}
