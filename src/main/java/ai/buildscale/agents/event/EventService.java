package ai.buildscale.agents.event;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.platform.problem.StreamRefusal;
import ai.buildscale.agents.platform.security.Caller;
import ai.buildscale.agents.workspace.Access;
import ai.buildscale.agents.workspace.Role;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.BackPressureFailure;
import io.smallrye.mutiny.subscription.BackPressureStrategy;
import io.smallrye.mutiny.subscription.MultiEmitter;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * Follows topics for clients: from now on, from a snapshot, or from a position on; whichever server the client lands
 * on.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class EventService {
    private static final Logger LOG = Logger.getLogger(EventService.class);

    private final EventLog log;
    private final EventTail tail;
    private final Subscribers subscribers;
    private final SnapshotSource state;
    private final Access access;
    private final EventConfig config;
    private final Clock clock;
    private final Counter slow;

    EventService(
            EventLog log,
            EventTail tail,
            Subscribers subscribers,
            SnapshotSource state,
            Access access,
            EventConfig config,
            Clock clock,
            MeterRegistry metrics) {
        this.log = log;
        this.tail = tail;
        this.subscribers = subscribers;
        this.state = state;
        this.access = access;
        this.config = config;
        this.clock = clock;
        this.slow = metrics.counter("events.streams.slow");
        StreamRefusal.REASONS.forEach(reason -> metrics.counter(StreamRefusal.REFUSED, "reason", reason));
    }

    /** Ends all streams of this server, and takes none: their clients resume elsewhere. */
    public void close() {
        subscribers.endAll();
    }

    /** Takes streams again. */
    public void open() {
        subscribers.open();
    }

    /**
     * Serves a stream, from its first look at the database to its last byte, in one of the places that this server has.
     *
     * @throws Problem {@code UNAVAILABLE} when there is none
     */
    <T> Uni<T> withPermit(Supplier<Uni<? extends T>> stream) {
        return Uni.createFrom().deferred(() -> {
            if (!subscribers.enter()) {
                throw new Problem(ProblemType.UNAVAILABLE, "This server has as many streams as it takes; try another")
                        .retryAfter(1)
                        .because("full");
            }
            return Uni.createFrom().<T>deferred(stream).onTermination().invoke(subscribers::leave);
        });
    }

    /**
     * The topic's events as SSE frames; empty if nothing more is to come and the client has it all. The stream ends
     * when the caller's token or membership does, with a plain session, or with a failure when the consumer is too
     * slow; each time the last {@code id} that the client has read is where it can go on. Nothing is begun before the
     * frames are subscribed to.
     *
     * @param after the position to resume right after; null for from now on
     * @param snapshot whether to begin with the current state
     * @throws Problem {@code NOT_FOUND}, {@code FORBIDDEN}; {@code UNAVAILABLE} once this server stops
     */
    public Uni<Optional<Multi<Buffer>>> follow(Caller caller, Topic topic, Long after, boolean snapshot) {
        if (subscribers.ended()) {
            throw new Problem(ProblemType.UNAVAILABLE, "This server is draining; resume on another")
                    .retryAfter(1)
                    .because("draining");
        }
        return access.require(caller, topic.workspaceId(), Role.VIEWER)
                .chain(() -> after == null ? Uni.createFrom().item(true) : log.holds(after))
                .chain(held -> begin(topic, after, snapshot, held))
                .map(start -> start.over() ? Optional.empty() : Optional.of(stream(caller, topic, start)));
    }

    /**
     * Where a stream begins.
     *
     * @param head what is sent first, or null
     * @param endsWithSession whether the stream ends with the last event of a session
     * @param ends whether the stream ends once it has caught up
     * @param over whether the answer is "no content"
     */
    private record StreamStart(
            Buffer head, long after, Set<Long> seen, boolean endsWithSession, boolean ends, boolean over) {
        /** From the present on, behind this head. */
        static StreamStart at(SnapshotSource.State now, Buffer head, boolean over) {
            return new StreamStart(head, now.position(), now.seen(), now.endsWithSession(), now.over(), over);
        }

        /** From the past on. */
        static StreamStart after(long position, SnapshotSource.State now, boolean ends, boolean over) {
            return new StreamStart(null, position, Set.of(), now.endsWithSession(), ends, over);
        }
    }

    private Uni<StreamStart> begin(Topic topic, Long after, boolean snapshot, boolean held) {
        boolean full = !held || (snapshot && after == null);
        return state.of(topic, full).chain(now -> {
            if (!now.known()) {
                throw Problem.notFound("The chat");
            }
            if (full) {
                Buffer head = SseFrame.encode(now.position(), EventType.SNAPSHOT, now.json());
                // without an id: a client that loses the rest asks again from where it was, and is reset again
                Buffer reset = SseFrame.encode(EventType.RESET, "{\"reason\":\"position_no_longer_held\"}");
                return Uni.createFrom().item(StreamStart.at(now, held ? head : reset.appendBuffer(head), false));
            }
            if (after == null) {
                return Uni.createFrom().item(StreamStart.at(now, SseFrame.open(now.position()), now.over()));
            }
            // while an event of the topic waits for the horizon, the client cannot have it: the stream is not drained
            if (!now.over() || !now.seen().isEmpty()) {
                return Uni.createFrom().item(StreamStart.after(after, now, false, false));
            }
            return log.page(topic, after)
                    .map(List::isEmpty)
                    .onFailure(EventLog.PositionPruned.class)
                    .recoverWithItem(false)
                    .map(drained -> StreamStart.after(after, now, true, drained));
        });
    }

    private Multi<Buffer> stream(Caller caller, Topic topic, StreamStart start) {
        Multi<Buffer> head = start.head() == null
                ? Multi.createFrom().empty()
                : Multi.createFrom().item(start.head());
        CatchUp past = new CatchUp(log, topic, start.after(), start.seen(), () -> mayStill(caller, topic));
        Multi<Buffer> live = Multi.createFrom()
                .deferred(() -> start.ends() || (start.endsWithSession() && past.endsSession())
                        ? Multi.createFrom().empty()
                        : live(caller, topic, start, past.reached()));
        return Multi.createBy()
                .concatenating()
                .streams(head, past.frames(), live)
                .onFailure(TokenExpired.class)
                .recoverWithItem(() -> SseFrame.tokenExpired(caller.expiresAt()))
                .onFailure(NoLonger.class)
                .recoverWithCompletion()
                .onFailure(e -> !(e instanceof BackPressureFailure))
                .invoke(e -> LOG.warnf("a stream of %s was cut: %s", topic, e.toString()));
    }

    /** The caller's token has ended while the past was read. */
    private static final class TokenExpired extends RuntimeException {
        TokenExpired() {
            super("the token has expired", null, false, false);
        }
    }

    /** This server drains, or the caller was removed, while the past was read: the stream ends as one that is live does. */
    private static final class NoLonger extends RuntimeException {
        NoLonger() {
            super("the stream is served no longer", null, false, false);
        }
    }

    private Uni<Role> mayStill(Caller caller, Topic topic) {
        if (!caller.expiresAt().isAfter(clock.instant())) {
            return Uni.createFrom().failure(new TokenExpired());
        }
        return subscribers.ended()
                ? Uni.createFrom().failure(new NoLonger())
                : access.require(caller, topic.workspaceId(), Role.VIEWER)
                        .onFailure(EventService::isRefusal)
                        .transform(_ -> new NoLonger());
    }

    private static boolean isRefusal(Throwable failure) {
        return failure instanceof Problem problem
                && (problem.type() == ProblemType.FORBIDDEN || problem.type() == ProblemType.NOT_FOUND);
    }

    /** A consumer was closed for being too slow. */
    void cutOff() {
        slow.increment();
    }

    private Multi<Buffer> live(Caller caller, Topic topic, StreamStart start, long after) {
        Context context = Vertx.currentContext();
        Subscriber subscriber = new Subscriber(
                topic,
                new Subscriber.Follower(topic.workspaceId(), caller.userId(), caller.isAdmin()),
                caller.expiresAt(),
                start.endsWithSession(),
                after,
                start.seen(),
                config.backlog());
        Multi<Buffer> events = Multi.createFrom()
                .emitter(
                        out -> {
                            subscriber.writesTo(out);
                            out.onTermination(() -> context.runOnContext(_ -> subscriber.leave()));
                            tail.running(context)
                                    .subscribe()
                                    .with(loop -> context.runOnContext(_ -> join(loop, subscriber, out)), out::fail);
                        },
                        BackPressureStrategy.IGNORE);
        // the subscriber counts what waits here, in bytes: the size of a write has no bound that a count could use
        return events.onOverflow()
                .bufferUnconditionally()
                .invoke(subscriber::sent)
                .onFailure(BackPressureFailure.class)
                .invoke(_ -> cutOff());
    }

    /** Joins the live streams, then reads what lies between this stream's position and theirs. */
    private void join(EventLoopSubscribers loop, Subscriber subscriber, MultiEmitter<? super Buffer> out) {
        if (subscribers.ended()) {
            subscriber.end();
        } else if (subscriber.join(loop)) {
            closeGap(subscriber, loop.delivered(), loop.deliveredChunks(), out);
        }
    }

    private void closeGap(Subscriber subscriber, long delivered, long chunks, MultiEmitter<? super Buffer> out) {
        if (subscriber.after() >= delivered) {
            goLive(subscriber, chunks, out);
            return;
        }
        log.page(subscriber.topic(), subscriber.after())
                .subscribe()
                .with(
                        page -> {
                            if (!page.isEmpty()) {
                                subscriber.send(EventLoopSubscribers.Payload.of(page));
                            }
                            if (page.size() < EventLog.PAGE) {
                                goLive(subscriber, chunks, out);
                            } else {
                                closeGap(subscriber, delivered, chunks, out);
                            }
                        },
                        out::fail);
    }

    /** Chunks are not in the log: who comes in the middle of a turn gets what was said so far in one piece. */
    private void goLive(Subscriber subscriber, long chunks, MultiEmitter<? super Buffer> out) {
        log.soFar(subscriber.topic(), chunks).subscribe().with(subscriber::live, out::fail);
    }
}
