package ai.buildscale.agents.event;

import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
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
 * is the more events go into one write. All but {@link #deliver}, {@link #forEach} and {@link #followers} runs on the
 * loop.
 */
final class LoopSubscribers {
    private static final long TICK_MILLIS = 1_000;

    private final Context context;
    private final Duration keepAlive;
    private final Map<Topic, Set<Subscriber>> topics = new HashMap<>();
    private final Map<Subscriber.Follower, Integer> followers = new ConcurrentHashMap<>();
    private List<Frame> inbox = new ArrayList<>();
    private long inboxCursor;
    private boolean scheduled;
    private long delivered;

    LoopSubscribers(Context context, long delivered, Duration keepAlive) {
        this.context = context;
        this.keepAlive = keepAlive;
        this.delivered = delivered;
        this.inboxCursor = delivered;
        context.runOnContext(_ -> context.owner().setPeriodic(TICK_MILLIS, _ -> tick()));
    }

    void deliver(List<Frame> frames, long cursor) {
        synchronized (this) {
            inbox.addAll(frames);
            inboxCursor = cursor;
            if (scheduled) {
                return;
            }
            scheduled = true;
        }
        context.runOnContext(_ -> drain());
    }

    private void drain() {
        List<Frame> frames;
        synchronized (this) {
            frames = inbox;
            inbox = new ArrayList<>();
            delivered = inboxCursor;
            scheduled = false;
        }
        if (topics.isEmpty() || frames.isEmpty()) {
            return;
        }
        Map<Topic, List<Frame>> byTopic = new HashMap<>();
        for (Frame frame : frames) {
            add(byTopic, Topic.workspace(frame.workspaceId()), frame);
            if (frame.chatId() != null) {
                add(byTopic, new Topic(frame.workspaceId(), frame.chatId()), frame);
            }
        }
        byTopic.forEach((topic, matching) -> {
            Payload payload = Payload.of(topic, matching);
            for (Subscriber subscriber : List.copyOf(topics.get(topic))) {
                subscriber.take(payload);
            }
        });
    }

    private void add(Map<Topic, List<Frame>> byTopic, Topic topic, Frame frame) {
        if (topics.containsKey(topic)) {
            byTopic.computeIfAbsent(topic, _ -> new ArrayList<>()).add(frame);
        }
    }

    /** Whoever joins now gets every event after this position. */
    long delivered() {
        return delivered;
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
        long now = System.currentTimeMillis();
        long silentSince = now - keepAlive.toMillis();
        topics.values().stream().flatMap(Set::stream).toList().forEach(subscriber -> subscriber.tick(now, silentSince));
    }

    /** What one write of a topic carries, shared by all its subscribers. */
    record Payload(List<Frame> frames, Buffer bytes, boolean ends) {
        static Payload of(Topic topic, List<Frame> frames) {
            Buffer bytes = frames.getFirst().bytes();
            if (frames.size() > 1) {
                bytes = Buffer.buffer(
                        frames.stream().mapToInt(f -> f.bytes().length()).sum());
                for (Frame frame : frames) {
                    bytes.appendBuffer(frame.bytes());
                }
            }
            return new Payload(frames, bytes, topic.isChat() && frames.getLast().endsSession());
        }

        long first() {
            return frames.getFirst().position();
        }

        long last() {
            return frames.getLast().position();
        }

        /** Only what the test lets through; null if that is nothing. */
        Payload filter(Topic topic, java.util.function.LongPredicate wanted) {
            List<Frame> left =
                    frames.stream().filter(f -> wanted.test(f.position())).toList();
            return left.isEmpty() ? null : of(topic, left);
        }
    }
}
