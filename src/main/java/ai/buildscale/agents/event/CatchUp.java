package ai.buildscale.agents.event;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Reads the part of one stream that lies in the log: a page at a time, the next when the client has taken the last. */
final class CatchUp {
    /** How long a reader may go on before it is asked again whether it may. */
    private static final long TRUSTED_NANOS = Duration.ofSeconds(2).toNanos();

    private final EventLog log;
    private final Topic topic;
    private final Set<Long> seen;
    private final Supplier<Uni<?>> mayStill;
    private long reached;
    private boolean endsSession;
    private long askedAtNanos = System.nanoTime();

    /**
     * @param seen positions that the client knows already, from a snapshot
     * @param mayStill fails once the reader's token or membership has ended
     */
    CatchUp(EventLog log, Topic topic, long after, Set<Long> seen, Supplier<Uni<?>> mayStill) {
        this.log = log;
        this.topic = topic;
        this.reached = after;
        this.seen = seen;
        this.mayStill = mayStill;
    }

    /** Where the stream stands. */
    long reached() {
        return reached;
    }

    /** Whether it stands at the end of a session: if that ended while this was read, nothing live would tell. */
    boolean endsSession() {
        return endsSession;
    }

    Multi<Buffer> frames() {
        return Multi.createBy()
                .repeating()
                .uni(this::next)
                .whilst(page -> page.size() == EventLog.PAGE)
                .map(page -> page.stream()
                        .filter(frame -> !seen.contains(frame.position()))
                        .toList())
                .filter(news -> !news.isEmpty())
                .map(news -> EventLoopSubscribers.Payload.of(news).bytes());
    }

    private Uni<List<SseFrame>> next() {
        return trusted() ? page() : mayStill.get().chain(this::page);
    }

    private boolean trusted() {
        long now = System.nanoTime();
        if (now - askedAtNanos < TRUSTED_NANOS) {
            return true;
        }
        askedAtNanos = now;
        return false;
    }

    private Uni<List<SseFrame>> page() {
        return log.page(topic, reached).invoke(page -> {
            if (!page.isEmpty()) {
                reached = page.getLast().position();
                endsSession = page.getLast().endsSession();
            }
        });
    }
}
