package ai.buildscale.agents.event;

import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * The streams that one event loop writes. Batches that arrive while the loop is busy are merged, so that the busier it
 * is the more events go into one write. All methods but {@link #deliver}, {@link #forEach} and {@link #followers} run
 * on the loop.
 */
final class EventLoopSubscribers {
    private static final long TICK_MILLIS = 1_000;

    private final Context context;
    private final Duration keepAlive;
    private final Clock clock;
    private final Map<Topic, Set<Subscriber>> topics = new HashMap<>();
    private final Map<Subscriber.Follower, Integer> followers = new ConcurrentHashMap<>();
    private List<SseFrame> inbox = new ArrayList<>();
    private long inboxCursor;
    private long inboxChunkCursor;
    private boolean scheduled;
    private long delivered;
    private long deliveredChunks;

    EventLoopSubscribers(Context context, long delivered, long deliveredChunks, Duration keepAlive, Clock clock) {
        this.context = context;
        this.keepAlive = keepAlive;
        this.clock = clock;
        this.delivered = delivered;
        this.inboxCursor = delivered;
        this.deliveredChunks = deliveredChunks;
        this.inboxChunkCursor = deliveredChunks;
        context.runOnContext(_ -> context.owner().setPeriodic(TICK_MILLIS, _ -> tick()));
    }

    void deliver(List<SseFrame> frames, long cursor, long chunkCursor) {
        synchronized (this) {
            inbox.addAll(frames);
            inboxCursor = cursor;
            inboxChunkCursor = chunkCursor;
            if (scheduled) {
                return;
            }
            scheduled = true;
        }
        context.runOnContext(_ -> drain());
    }

    private void drain() {
        List<SseFrame> frames;
        synchronized (this) {
            frames = inbox;
            inbox = new ArrayList<>();
            delivered = inboxCursor;
            deliveredChunks = inboxChunkCursor;
            scheduled = false;
        }
        if (topics.isEmpty() || frames.isEmpty()) {
            return;
        }
        Map<Topic, List<SseFrame>> byTopic = new HashMap<>();
        for (SseFrame frame : frames) {
            add(byTopic, Topic.workspace(frame.workspaceId()), frame);
            if (frame.chatId() != null) {
                add(byTopic, new Topic(frame.workspaceId(), frame.chatId()), frame);
            }
        }
        byTopic.forEach((topic, matching) -> {
            Payload payload = Payload.of(matching);
            for (Subscriber subscriber : List.copyOf(topics.get(topic))) {
                subscriber.take(payload);
            }
        });
    }

    private void add(Map<Topic, List<SseFrame>> byTopic, Topic topic, SseFrame frame) {
        if (topics.containsKey(topic)) {
            byTopic.computeIfAbsent(topic, _ -> new ArrayList<>()).add(frame);
        }
    }

    /** Whoever joins now gets every event after this position. */
    long delivered() {
        return delivered;
    }

    /** The same for chunks. */
    long deliveredChunks() {
        return deliveredChunks;
    }

    /** The position of the last of these that is an event; 0 if none is. */
    static long newest(List<SseFrame> frames) {
        for (int i = frames.size() - 1; i >= 0; i--) {
            if (!frames.get(i).live()) {
                return frames.get(i).position();
            }
        }
        return 0;
    }

    void join(Subscriber subscriber) {
        topics.computeIfAbsent(subscriber.topic(), _ -> new LinkedHashSet<>()).add(subscriber);
        followers.merge(subscriber.follower(), 1, Integer::sum);
    }

    void leave(Subscriber subscriber) {
        Set<Subscriber> group = topics.get(subscriber.topic());
        if (group != null && group.remove(subscriber)) {
            if (group.isEmpty()) {
                topics.remove(subscriber.topic());
            }
            followers.computeIfPresent(subscriber.follower(), (_, count) -> count == 1 ? null : count - 1);
        }
    }

    void forEach(Consumer<Subscriber> action) {
        context.runOnContext(
                _ -> topics.values().stream().flatMap(Set::stream).toList().forEach(action));
    }

    Set<Subscriber.Follower> followers() {
        return Set.copyOf(followers.keySet());
    }

    private void tick() {
        Instant now = clock.instant();
        topics.values().stream().flatMap(Set::stream).toList().forEach(subscriber -> subscriber.tick(now, keepAlive));
    }

    /** What one write of a topic carries, shared by all its subscribers. */
    record Payload(List<SseFrame> frames, Buffer bytes) {
        static Payload of(List<SseFrame> frames) {
            Buffer bytes = frames.getFirst().bytes();
            if (frames.size() > 1) {
                bytes = Buffer.buffer(
                        frames.stream().mapToInt(f -> f.bytes().length()).sum());
                for (SseFrame frame : frames) {
                    bytes.appendBuffer(frame.bytes());
                }
            }
            return new Payload(frames, bytes);
        }

        /** Whether its last event is the last of a session. */
        boolean endsSession() {
            return frames.getLast().endsSession();
        }

        /** The position of its first event; none is as if it came after all. */
        long first() {
            for (SseFrame frame : frames) {
                if (!frame.live()) {
                    return frame.position();
                }
            }
            return Long.MAX_VALUE;
        }

        /** The position of its last event; 0 if there is none. */
        long last() {
            return newest(frames);
        }

        /** Its chunks, and the events that the test lets through; null if that is nothing. */
        Payload filter(java.util.function.LongPredicate wanted) {
            List<SseFrame> left = frames.stream()
                    .filter(f -> f.live() || wanted.test(f.position()))
                    .toList();
            return left.isEmpty() ? null : of(left);
        }
    }
}
