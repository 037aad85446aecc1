package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.http.EventStreams;
import io.smallrye.mutiny.subscription.BackPressureFailure;
import io.smallrye.mutiny.subscription.MultiEmitter;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * One open stream in its live part. Lives on one event loop. While the gap between its position and the tail's is read
 * from the log, what arrives waits in {@code held}.
 */
final class Subscriber {
    private final Topic topic;
    private final Follower follower;
    private final Instant expiresAt;
    private final boolean endsWithSession;
    private final int backlogBytes;
    private final Set<Long> seen;
    private final long lastSeen;
    private long after;
    private List<EventLoopSubscribers.Payload> held = new ArrayList<>();
    private MultiEmitter<? super Buffer> out;
    private long unsentBytes;
    private long lastWriteNanos = System.nanoTime();
    private EventLoopSubscribers joined;
    private boolean left;

    /**
     * Who follows which workspace.
     *
     * @param admin sees it without being a member
     */
    record Follower(UUID workspaceId, UUID userId, boolean admin) {}

    /**
     * @param endsWithSession whether the stream ends with the last event of a session
     * @param after the position that the stream has reached
     * @param seen positions after it that the client knows already, from a snapshot
     * @param backlogBytes what may wait for the client; when there is more and still more to send, it is too slow
     */
    Subscriber(
            Topic topic,
            Follower follower,
            Instant expiresAt,
            boolean endsWithSession,
            long after,
            Set<Long> seen,
            int backlogBytes) {
        this.topic = topic;
        this.follower = follower;
        this.expiresAt = expiresAt;
        this.endsWithSession = endsWithSession;
        this.after = after;
        this.seen = seen;
        this.lastSeen = seen.stream().mapToLong(Long::longValue).max().orElse(0);
        this.backlogBytes = backlogBytes;
    }

    Topic topic() {
        return topic;
    }

    Follower follower() {
        return follower;
    }

    long after() {
        return after;
    }

    /** Where its bytes go; comes before all else. */
    void writesTo(MultiEmitter<? super Buffer> out) {
        this.out = out;
    }

    /** The connection has taken these bytes. */
    void sent(Buffer bytes) {
        unsentBytes -= bytes.length();
    }

    /** Begins to listen; false if the client has gone before it came to that. */
    boolean join(EventLoopSubscribers loop) {
        if (!left) {
            joined = loop;
            loop.join(this);
        }
        return !left;
    }

    void leave() {
        left = true;
        if (joined != null) {
            joined.leave(this);
        }
    }

    /** The gap is closed: what its agents are saying just now, then what was held, then all that comes. */
    void live(List<PartialAnswer> saying) {
        saying.forEach(soFar -> emit(soFar.frame()));
        List<EventLoopSubscribers.Payload> waiting = held;
        held = null;
        waiting.forEach(this::take);
    }

    void take(EventLoopSubscribers.Payload payload) {
        if (held != null) {
            held.add(payload);
        } else {
            send(payload);
        }
    }

    /** Sends what the client does not have yet; ends the stream with its session, where there is one such. */
    void send(EventLoopSubscribers.Payload payload) {
        EventLoopSubscribers.Payload news = payload.first() > Math.max(after, lastSeen)
                ? payload
                : payload.filter(position -> position > after && !seen.contains(position));
        after = Math.max(after, payload.last());
        if (news != null) {
            lastWriteNanos = System.nanoTime();
            emit(news.bytes());
            if (endsWithSession && news.endsSession()) {
                out.complete();
            }
        }
    }

    private void emit(Buffer bytes) {
        if (unsentBytes > backlogBytes) {
            out.fail(new BackPressureFailure("the client reads too slowly"));
        } else {
            unsentBytes += bytes.length();
            out.emit(bytes);
        }
    }

    /** Ends the stream with its caller's token; keeps its connection open with a comment after so long a silence. */
    void tick(Instant now, Duration silence) {
        if (!now.isBefore(expiresAt)) {
            emit(SseFrame.tokenExpired(expiresAt));
            end();
        } else if (System.nanoTime() - lastWriteNanos >= silence.toNanos()) {
            lastWriteNanos = System.nanoTime();
            emit(Buffer.buffer(EventStreams.KEEP_ALIVE));
        }
    }

    void end() {
        out.complete();
    }
}
