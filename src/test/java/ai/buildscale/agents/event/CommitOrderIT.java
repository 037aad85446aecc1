package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Streams follow the order of commits and never pass a transaction that is in flight. */
class CommitOrderIT {
    private static final Service SERVICE = Service.shared();
    private static final Api OWNER = Api.user(SERVICE).amongNewer();
    private static final String WORKSPACE = OWNER.newWorkspace();

    /** A transaction that has an id and stays open until it is ended. */
    private static final class Held implements AutoCloseable {
        private final Connection connection;

        Held() throws SQLException {
            connection = Postgres.connect(SERVICE.databaseUrl());
            connection.setAutoCommit(false);
            update("update workspaces set name = 'held' where id = ?", UUID.fromString(OWNER.newWorkspace()));
        }

        void update(String sql, Object... arguments) throws SQLException {
            try (var statement = connection.prepareStatement(sql)) {
                for (int i = 0; i < arguments.length; i++) {
                    statement.setObject(i + 1, arguments[i]);
                }
                assertThat(statement.executeUpdate()).isEqualTo(1);
            }
        }

        void commit() throws SQLException {
            connection.commit();
        }

        void rollback() throws SQLException {
            connection.rollback();
        }

        @Override
        public void close() throws SQLException {
            connection.close();
        }
    }

    private static void staysEmpty(SseStream... streams) {
        await().during(Duration.ofMillis(400)).atMost(Duration.ofSeconds(2)).until(() -> {
            return java.util.stream.Stream.of(streams)
                    .allMatch(stream -> stream.events().isEmpty());
        });
    }

    @Test
    void whatIsCommittedWhileAnotherTransactionIsOpenComesAfterItInOrder() throws SQLException {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream live = chat.stream();
                Held held = new Held()) {
            chat.does("start", "yield", "pause");
            try (SseStream resumed = chat.streamAfter(chat.idOf(1))) {
                assertThat(OWNER.statuses(chat.sessionId())).containsExactly("idle", "running", "idle", "paused");
                staysEmpty(live, resumed);

                held.commit();

                for (SseStream stream : List.of(live, resumed)) {
                    stream.awaitStatus("paused");
                    assertThat(stream.statuses()).containsExactly("running", "idle", "paused");
                }
            }
        }
    }

    @Test
    void snapshotBehindAnOpenTransactionIsNotToldAgain() throws SQLException {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (Held held = new Held()) {
            chat.does("start", "yield", "pause");
            try (SseStream ofChat = OWNER.stream(chat.path() + "?snapshot=true");
                    SseStream ofWorkspace = OWNER.stream("/workspaces/" + WORKSPACE + "/events?snapshot=true");
                    SseStream live = chat.stream()) {
                SseStream.Event snapshot = ofChat.await(event -> event.type().equals("snapshot"));
                assertThat(snapshot.data().at("/sessions/0/status").asText()).isEqualTo("paused");
                ofWorkspace.await(event -> event.type().equals("snapshot"));
                chat.does("resume", "start");

                held.rollback();

                for (SseStream stream : List.of(ofChat, ofWorkspace, live)) {
                    stream.awaitStatus("running");
                    assertThat(stream.statuses()).containsExactly("idle", "running");
                }
                chat.does("cancel");
                for (SseStream stream : List.of(ofChat, ofWorkspace, live)) {
                    stream.awaitStatus("cancelled");
                    assertThat(stream.statuses()).containsExactly("idle", "running", "cancelled");
                }
            }
        }
    }

    /** The last event is durable but not yet in the stream: the client does not have it, so the stream is not drained. */
    @Test
    void streamIsNotDrainedBeforeItsLastEventCouldBeRead() throws SQLException {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start");
        try (Held held = new Held()) {
            chat.does("complete");
            try (SseStream fromBefore = chat.streamAfter(chat.idOf(2));
                    SseStream fromTheStart = chat.streamAfter("0")) {
                assertThat(fromBefore.status()).isEqualTo(200);
                fromTheStart.awaitStatus("running");
                staysEmpty(fromBefore);

                held.commit();

                fromBefore.awaitEnd();
                fromTheStart.awaitEnd();
                assertThat(fromBefore.statuses()).containsExactly("completed");
                assertThat(fromTheStart.statuses()).containsExactly("idle", "running", "completed");
            }
        }
    }

    @Test
    void lateCommitWithALowerPositionIsNotLost() throws SQLException {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream ofChat = chat.stream();
                SseStream ofWorkspace = OWNER.stream("/workspaces/" + WORKSPACE + "/events");
                Held held = new Held()) {
            held.update(
                    """
                    insert into events (position, workspace_id, chat_id, session_id, type, data, at)
                    values (next_position(0, 0), ?, ?, ?, 'of_a_test', '{"late": true}', now())""", UUID.fromString(WORKSPACE), UUID.fromString(chat.chatId()), UUID.fromString(chat.sessionId()));
            chat.does("start", "pause");
            Chat.open(OWNER, WORKSPACE);

            held.commit();

            ofChat.awaitStatus("paused");
            ofWorkspace.await(event -> event.text("status").equals("idle"));
            assertThat(ofChat.events())
                    .extracting(SseStream.Event::type)
                    .containsExactly("of_a_test", "agent_status", "agent_status");
            for (SseStream stream : List.of(ofChat, ofWorkspace)) {
                assertThat(stream.ids().stream().map(Long::valueOf)).isSorted();
                assertThat(stream.events().getFirst().data().path("late").asBoolean())
                        .isTrue();
            }
        }
    }

    /** The older transaction changes the session after the younger one: its event comes second, at the place after. */
    @Test
    void olderTransactionThatChangesTheSessionSecondComesSecond() throws SQLException {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream stream = chat.stream();
                Held held = new Held()) {
            chat.does("start");
            held.update("""
                    with moved as (
                        update agent_sessions set version = version + 1, blocked_on = 'x',
                            last_position = next_position(last_position, 0) + 1
                        where id = ?
                        returning *)
                    insert into events (position, workspace_id, chat_id, session_id, type, data, at)
                    select last_position - 1, workspace_id, chat_id, id, 'of_a_test', '{}', now() from moved""", UUID.fromString(chat.sessionId()));
            held.commit();
            chat.does("pause");

            stream.awaitStatus("paused");
            assertThat(stream.events())
                    .extracting(event -> event.type() + event.text("status"))
                    .containsExactly("agent_statusrunning", "of_a_test", "agent_statuspaused");
            assertThat(stream.ids()).isEqualTo(historyIds(chat).subList(1, 4));
        }
    }

    private static List<String> historyIds(Chat chat) {
        return OWNER.history(chat.sessionId()).stream()
                .map(event -> event.get("position").asText())
                .toList();
    }

    /** Half of the commands carry an idempotency key: their transactions get their ids before they wait for the row. */
    @Test
    void racingCommandsOnFewSessionsAscendWithTheVersion() throws Exception {
        List<Chat> chats =
                IntStream.range(0, 3).mapToObj(_ -> Chat.open(OWNER, WORKSPACE)).toList();
        List<SseStream> streams = new ArrayList<>();
        try (SseStream ofWorkspace =
                        OWNER.stream("/workspaces/" + WORKSPACE + "/events", "Last-Event-ID", before(chats));
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            chats.forEach(chat -> streams.add(chat.streamAfter("0")));
            List<Future<Integer>> racers = IntStream.range(0, 16)
                    .mapToObj(_ -> threads.submit(() -> race(chats, 60)))
                    .toList();
            int applied = 0;
            for (Future<Integer> racer : racers) {
                applied += racer.get();
            }
            assertThat(applied).isGreaterThan(500);

            for (int i = 0; i < chats.size(); i++) {
                Chat chat = chats.get(i);
                List<JsonNode> history = OWNER.history(chat.sessionId());
                assertThat(history.stream()
                                .map(event -> event.at("/data/version").asLong()))
                        .containsExactlyElementsOf(IntStream.rangeClosed(1, history.size())
                                .mapToObj(Long::valueOf)
                                .toList());
                assertThat(history.stream().map(event -> event.get("position").asLong()))
                        .isSorted()
                        .doesNotHaveDuplicates();
                streams.get(i).awaitCount(history.size());
                assertThat(streams.get(i).ids()).isEqualTo(historyIds(chat));
                await().atMost(Duration.ofSeconds(20))
                        .untilAsserted(
                                () -> assertThat(idsBySession(ofWorkspace).get(chat.sessionId()))
                                        .isEqualTo(historyIds(chat)));
            }
            assertThat(ofWorkspace.ids().stream().map(Long::valueOf)).isSorted().doesNotHaveDuplicates();
        } finally {
            streams.forEach(SseStream::close);
        }
    }

    private static String before(List<Chat> chats) {
        return Long.toString(Long.parseLong(chats.getFirst().idOf(1)) - 1);
    }

    private static Map<String, List<String>> idsBySession(SseStream stream) {
        return stream.events().stream()
                .collect(Collectors.groupingBy(
                        event -> event.text("session_id"),
                        Collectors.mapping(SseStream.Event::id, Collectors.toList())));
    }

    private static int race(List<Chat> chats, int commands) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        int applied = 0;
        for (int i = 0; i < commands; i++) {
            Chat chat = chats.get(random.nextInt(chats.size()));
            String[] key = random.nextBoolean()
                    ? new String[] {"Idempotency-Key", UUID.randomUUID().toString()}
                    : new String[0];
            Api.Reply reply = random.nextInt(3) == 0
                    ? OWNER.patch("/agent-sessions/" + chat.sessionId(), "{\"blocked_on\":\"" + i + "\"}")
                    : OWNER.post(
                            "/agent-sessions/" + chat.sessionId() + "/" + (random.nextBoolean() ? "start" : "yield"),
                            "{}",
                            key);
            assertThat(reply.status()).as(reply.text()).isIn(200, 409);
            applied += reply.status() == 200 ? 1 : 0;
        }
        return applied;
    }

    /** What a snapshot shows and what follows it fit together, however many commands race its opening. */
    @Test
    void snapshotsTakenUnderLoadAreContinuedWithoutAGap() throws Exception {
        String workspace = OWNER.newWorkspace();
        List<Chat> chats =
                IntStream.range(0, 4).mapToObj(_ -> Chat.open(OWNER, workspace)).toList();
        List<SseStream> streams = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> racers = IntStream.range(0, 8)
                    .mapToObj(_ -> threads.submit(() -> race(chats, 60)))
                    .toList();
            while (streams.size() < 40 && racers.stream().anyMatch(racer -> !racer.isDone())) {
                streams.add(OWNER.stream("/workspaces/" + workspace + "/events?snapshot=true"));
                streams.add(OWNER.stream(chats.get(streams.size() % 4).path() + "?snapshot=true"));
            }
            for (Future<Integer> racer : racers) {
                racer.get();
            }
            chats.forEach(chat -> chat.does("cancel"));
            Map<String, Long> last = chats.stream()
                    .collect(Collectors.toMap(
                            Chat::sessionId,
                            chat -> OWNER.session(chat.sessionId())
                                    .get("version")
                                    .asLong()));
            for (SseStream stream : streams) {
                SseStream.Event snapshot = stream.await(event -> event.type().equals("snapshot"));
                for (JsonNode session : snapshot.data().get("sessions")) {
                    String id = session.get("id").asText();
                    List<Long> rest = LongStream.rangeClosed(
                                    session.get("version").asLong() + 1, last.get(id))
                            .boxed()
                            .toList();
                    await().atMost(Duration.ofSeconds(20))
                            .pollDelay(Duration.ZERO)
                            .untilAsserted(
                                    () -> assertThat(versions(stream, id)).isEqualTo(rest));
                }
            }
            assertThat(streams).hasSizeGreaterThan(20);
        } finally {
            streams.forEach(SseStream::close);
        }
    }

    private static List<Long> versions(SseStream stream, String sessionId) {
        return stream.changes().stream()
                .filter(event -> event.text("session_id").equals(sessionId))
                .map(event -> event.data().get("version").asLong())
                .toList();
    }
}
