package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.SettableClock;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.subscription.BackPressureFailure;
import io.smallrye.mutiny.subscription.BackPressureStrategy;
import io.smallrye.mutiny.subscription.MultiEmitter;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventLoopSubscribersTest {
    private static final UUID WORKSPACE = UUID.randomUUID();
    private static final UUID CHAT = UUID.randomUUID();
    private static final Topic OF_CHAT = new Topic(WORKSPACE, CHAT);
    private static final Topic OF_WORKSPACE = Topic.workspace(WORKSPACE);
    private static final Instant NEVER = Instant.MAX;

    private final Vertx vertx = Vertx.vertx();
    private final Context context = vertx.getOrCreateContext();
    private final SettableClock clock = new SettableClock();
    private final EventLoopSubscribers loop = new EventLoopSubscribers(context, 10, 10, Duration.ofSeconds(1), clock);

    @AfterEach
    void close() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    /** What one client has been sent. */
    private static final class Client {
        private final List<String> writes = new CopyOnWriteArrayList<>();
        private final CompletableFuture<Throwable> end = new CompletableFuture<>();
        private final Subscriber subscriber;
        private MultiEmitter<? super Buffer> emitter;

        Client(Topic topic, long after, Set<Long> seen, Instant expiresAt) {
            this(topic, after, seen, expiresAt, false, Integer.MAX_VALUE);
        }

        Client(Topic topic, long after, Set<Long> seen, Instant expiresAt, boolean endsWithSession, int backlogBytes) {
            subscriber = new Subscriber(
                    topic,
                    new Subscriber.Follower(WORKSPACE, UUID.randomUUID(), false),
                    expiresAt,
                    endsWithSession,
                    after,
                    seen,
                    backlogBytes);
            Multi<Buffer> bytes = Multi.createFrom().emitter(out -> emitter = out, BackPressureStrategy.IGNORE);
            bytes.subscribe().with(sent -> writes.add(sent.toString()), end::complete, () -> end.complete(null));
            subscriber.writesTo(emitter);
        }

        List<Long> ids() {
            return String.join("", writes)
                    .lines()
                    .filter(line -> line.startsWith("id: "))
                    .map(line -> Long.valueOf(line.substring(4)))
                    .toList();
        }
    }

    private static SseFrame event(long position) {
        return SseFrame.of(position, WORKSPACE, CHAT, "agent_status", "{}", false);
    }

    private static SseFrame lastEvent(long position) {
        return SseFrame.of(position, WORKSPACE, CHAT, "agent_status", "{}", true);
    }

    private static List<SseFrame> events(long from, long to) {
        return LongStream.rangeClosed(from, to)
                .mapToObj(EventLoopSubscribersTest::event)
                .toList();
    }

    private <T> T onLoop(Supplier<T> action) {
        CompletableFuture<T> done = new CompletableFuture<>();
        context.runOnContext(_ -> {
            try {
                done.complete(action.get());
            } catch (RuntimeException | AssertionError e) {
                done.completeExceptionally(e);
            }
        });
        return done.join();
    }

    private void join(Client client) {
        assertThat(onLoop(() -> client.subscriber.join(loop))).isTrue();
    }

    private void live(Client client) {
        onLoop(() -> {
            client.subscriber.live(List.of());
            return null;
        });
    }

    private void deliver(List<SseFrame> frames) {
        loop.deliver(
                frames, EventLoopSubscribers.newest(frames), frames.getLast().position());
        onLoop(() -> null);
    }

    @Test
    void batchGoesToItsTopicsInOneWrite() {
        Client ofChat = new Client(OF_CHAT, 10, Set.of(), NEVER);
        Client ofWorkspace = new Client(OF_WORKSPACE, 10, Set.of(), NEVER);
        Client elsewhere = new Client(new Topic(WORKSPACE, UUID.randomUUID()), 10, Set.of(), NEVER);
        for (Client client : List.of(ofChat, ofWorkspace, elsewhere)) {
            join(client);
            live(client);
        }

        deliver(List.of(
                event(11),
                event(12),
                SseFrame.of(13, WORKSPACE, null, "other", "{}", false),
                SseFrame.of(14, UUID.randomUUID(), CHAT, "other", "{}", false)));

        assertThat(ofChat.ids()).containsExactly(11L, 12L);
        assertThat(ofChat.writes).hasSize(1);
        assertThat(ofWorkspace.ids()).containsExactly(11L, 12L, 13L);
        assertThat(elsewhere.writes).isEmpty();
        assertThat(onLoop(loop::delivered)).isEqualTo(14);
    }

    @Test
    void whatComesWhileTheGapIsReadWaitsAndIsNotSentTwice() {
        Client client = new Client(OF_CHAT, 5, Set.of(), NEVER);
        join(client);
        deliver(events(11, 13));
        assertThat(client.writes).isEmpty();

        onLoop(() -> {
            client.subscriber.send(EventLoopSubscribers.Payload.of(events(6, 12)));
            client.subscriber.live(List.of());
            return null;
        });
        deliver(events(14, 14));

        assertThat(client.ids()).containsExactly(6L, 7L, 8L, 9L, 10L, 11L, 12L, 13L, 14L);
    }

    @Test
    void whatASnapshotHasToldIsNotSentAgainButWhatCommitsBetweenIs() {
        Client client = new Client(OF_CHAT, 10, Set.of(11L, 13L), NEVER);
        join(client);
        live(client);

        deliver(events(11, 11));
        deliver(events(12, 14));

        assertThat(client.ids()).containsExactly(12L, 14L);
    }

    @Test
    void streamThatIsPastItsSnapshotSharesTheBytesOfAll() {
        EventLoopSubscribers.Payload payload = EventLoopSubscribers.Payload.of(events(14, 15));
        List<Buffer> sent = new CopyOnWriteArrayList<>();
        Client client = new Client(OF_CHAT, 10, Set.of(11L, 13L), NEVER);
        Multi.createFrom()
                .<Buffer>emitter(out -> client.subscriber.writesTo(out), BackPressureStrategy.IGNORE)
                .subscribe()
                .with(sent::add);

        client.subscriber.live(List.of());
        client.subscriber.take(payload);

        assertThat(sent).hasSize(1);
        assertThat(sent.getFirst()).isSameAs(payload.bytes());
    }

    @Test
    void lastEventOfAPlainSessionEndsItsStreamOnly() {
        Client ofPlainSession = new Client(OF_CHAT, 10, Set.of(), NEVER, true, Integer.MAX_VALUE);
        Client ofChat = new Client(OF_CHAT, 10, Set.of(), NEVER);
        Client ofWorkspace = new Client(OF_WORKSPACE, 10, Set.of(), NEVER);
        for (Client client : List.of(ofPlainSession, ofChat, ofWorkspace)) {
            join(client);
            live(client);
        }

        deliver(List.of(event(11), lastEvent(12)));

        assertThat(ofPlainSession.ids()).containsExactly(11L, 12L);
        assertThat(ofPlainSession.end).isCompletedWithValue(null);
        for (Client lasting : List.of(ofChat, ofWorkspace)) {
            assertThat(lasting.ids()).containsExactly(11L, 12L);
            assertThat(lasting.end).isNotDone();
        }
    }

    @Test
    void clientThatHasGoneBeforeItJoinedIsNotKept() {
        Client client = new Client(OF_CHAT, 10, Set.of(), NEVER);

        onLoop(() -> {
            client.subscriber.leave();
            return null;
        });

        assertThat(onLoop(() -> client.subscriber.join(loop))).isFalse();
        assertThat(loop.followers()).isEmpty();
    }

    @Test
    void followersAreThoseWhoHaveAStreamOpen() {
        Client first = new Client(OF_CHAT, 10, Set.of(), NEVER);
        Client second = new Client(OF_WORKSPACE, 10, Set.of(), NEVER);
        join(first);
        join(second);
        assertThat(loop.followers())
                .containsExactlyInAnyOrder(first.subscriber.follower(), second.subscriber.follower());

        onLoop(() -> {
            first.subscriber.leave();
            first.subscriber.leave();
            return null;
        });

        assertThat(loop.followers()).containsExactly(second.subscriber.follower());
    }

    @Test
    void consumerThatLetsTooMuchWaitFails() {
        Client client = new Client(OF_CHAT, 10, Set.of(), NEVER, false, 100);
        join(client);
        live(client);

        deliver(events(11, 20));
        deliver(events(21, 21));

        assertThat(client.ids())
                .isEqualTo(LongStream.rangeClosed(11, 20).boxed().toList());
        assertThat(client.end).isCompletedWithValueMatching(e -> e instanceof BackPressureFailure);
    }

    @Test
    void consumerThatTakesWhatItIsSentMayGetAnyAmount() {
        Client client = new Client(OF_CHAT, 10, Set.of(), NEVER, false, 100);
        join(client);
        live(client);

        for (int i = 0; i < 50; i++) {
            int before = client.writes.size();
            deliver(events(11 + i * 10L, 20 + i * 10L));
            onLoop(() -> {
                client.writes
                        .subList(before, client.writes.size())
                        .forEach(write -> client.subscriber.sent(Buffer.buffer(write)));
                return null;
            });
        }

        assertThat(client.ids()).hasSize(500);
    }

    @Test
    void silentStreamGetsACommentAndAnExpiredOneEnds() {
        Client silent = new Client(OF_CHAT, 10, Set.of(), NEVER);
        Client expired = new Client(OF_CHAT, 10, Set.of(), clock.instant());
        join(silent);
        join(expired);

        await().untilAsserted(() -> assertThat(silent.writes).contains(": keep-alive\n"));
        assertThat(expired.writes)
                .containsExactly("event: token_expired\ndata: {\"at\":\"" + clock.instant() + "\"}\n\n");
        assertThat(expired.end).isCompletedWithValue(null);
        assertThat(silent.end).isNotDone();
    }

    @Test
    void clockThatIsPutBackHoldsUpNeitherEventsNorComments() {
        Client client = new Client(OF_CHAT, 10, Set.of(), NEVER);
        join(client);
        live(client);

        clock.advance(Duration.ofHours(-1));
        deliver(events(11, 11));

        assertThat(client.ids()).containsExactly(11L);
        await().untilAsserted(() -> assertThat(client.writes).contains(": keep-alive\n"));
    }
}
