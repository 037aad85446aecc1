package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two servers on one database serve each other's streams. */
class TwoServersIT {
    private static final Duration POLL_INTERVAL = Duration.ofSeconds(5);

    private static Service a;
    private static Service b;
    private static Api ownerAtA;
    private static Api ownerAtB;
    private static String workspace;

    @BeforeAll
    static void start() {
        String database = Postgres.newDatabase();
        Map<String, String> settings = Map.of("events.poll-interval", POLL_INTERVAL.toSeconds() + "S");
        a = Service.launch(database, settings);
        b = Service.launch(database, settings);
        a.awaitReady();
        b.awaitReady();
        ownerAtA = Api.user(a);
        ownerAtB = ownerAtA.at(b);
        workspace = ownerAtA.newWorkspace();
        awaitListeners();
    }

    @AfterAll
    static void stop() {
        a.close();
        b.close();
    }

    private static List<Object> listeners() {
        return Postgres.query(
                        a.databaseUrl(),
                        "select pid from pg_stat_activity where datname = current_database()"
                                + " and query ilike 'listen %' order by pid")
                .stream()
                .map(row -> row.get("pid"))
                .toList();
    }

    private static void awaitListeners() {
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(listeners()).hasSize(2));
    }

    private static int terminate(String which) {
        return Postgres.query(
                        a.databaseUrl(),
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                                + " where datname = current_database() and pid <> pg_backend_pid() and " + which)
                .size();
    }

    /** The median time from a command at A until the stream at B has its event. */
    private static Duration medianDelay(Chat chat, SseStream atB, int commands) {
        List<Duration> delays = new ArrayList<>();
        for (int i = 0; i < commands; i++) {
            int before = atB.events().size();
            long began = System.nanoTime();
            chat.does(i % 2 == 0 ? "start" : "yield");
            atB.awaitCount(before + 1);
            delays.add(Duration.ofNanos(System.nanoTime() - began));
        }
        return delays.stream().sorted().toList().get(commands / 2);
    }

    @Test
    void commitOnOneWakesTheStreamsOfTheOther() {
        Chat chat = Chat.open(ownerAtA, workspace);
        try (SseStream atB = chat.as(ownerAtB).stream()) {
            assertThat(medianDelay(chat, atB, 50)).isLessThan(POLL_INTERVAL.dividedBy(10));
        }
    }

    @Test
    void lostWakeUpCostsOnePollAtMostAndListeningComesBack() {
        Chat chat = Chat.open(ownerAtA, workspace);
        try (SseStream atB = chat.as(ownerAtB).stream()) {
            List<Object> before = listeners();
            assertThat(terminate("query ilike 'listen %'")).isEqualTo(2);
            chat.does("start");
            atB.awaitStatus("running");

            await().atMost(Duration.ofSeconds(20))
                    .untilAsserted(() -> assertThat(listeners()).hasSize(2).doesNotContainAnyElementsOf(before));
            chat.does("yield");
            assertThat(medianDelay(chat, atB, 20)).isLessThan(POLL_INTERVAL.dividedBy(10));
        }
    }

    /** Whatever the pool's connections were doing when they ended, streams go on, and one listener each comes back. */
    @Test
    void connectionsThatEndUnderLoadLoseNoEvents() {
        Chat chat = Chat.open(ownerAtA, workspace);
        try (SseStream atA = chat.stream();
                SseStream atB = chat.as(ownerAtB).stream()) {
            chat.does("start", "yield");
            atA.awaitStatus("idle");
            atB.awaitStatus("idle");
            for (int round = 0; round < 6; round++) {
                assertThat(terminate("application_name = 'agent-sessions'")).isPositive();
                for (int i = 0; i < 10; i++) {
                    ownerAtA.command(chat.sessionId(), i % 2 == 0 ? "start" : "yield", "{}");
                }
            }
            await().atMost(Duration.ofSeconds(10))
                    .until(() -> ownerAtA.delete("/agent-sessions/" + chat.sessionId())
                                    .status()
                            == 200);
            atA.awaitEnd();
            atB.awaitEnd();

            List<String> history = ids(ownerAtA.history(chat.sessionId()));
            assertThat(atA.ids()).isEqualTo(history.subList(1, history.size()));
            assertThat(atB.ids()).isEqualTo(history.subList(1, history.size()));
        }
        awaitListeners();
    }

    private static List<String> ids(List<JsonNode> history) {
        return history.stream().map(event -> event.get("position").asText()).toList();
    }

    @Test
    void clientThatDropsAtRandomAndComesBackElsewhereSeesEveryEventOnce() throws Exception {
        List<Chat> chats = IntStream.range(0, 12)
                .mapToObj(_ -> Chat.open(ownerAtA, workspace))
                .toList();
        String from = chats.getFirst().idOf(1);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> commanders = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                Api api = i % 2 == 0 ? ownerAtA : ownerAtB;
                commanders.add(threads.submit(() -> command(api, chats, 80)));
            }
            List<Wanderer> wanderers =
                    IntStream.range(0, 4).mapToObj(_ -> new Wanderer(from)).toList();
            List<Future<?>> walks = new ArrayList<>();
            wanderers.forEach(wanderer -> walks.add(threads.submit(wanderer::walk)));
            for (Future<?> commander : commanders) {
                commander.get();
            }
            Chat last = Chat.open(ownerAtB, workspace);
            wanderers.forEach(wanderer -> wanderer.until = last.idOf(1));
            for (Future<?> walk : walks) {
                walk.get();
            }
            for (Wanderer wanderer : wanderers) {
                assertThat(wanderer.connections).isGreaterThan(5);
                assertThat(wanderer.received.stream().map(event -> Long.valueOf(event.id())))
                        .isSorted()
                        .doesNotHaveDuplicates();
                Map<String, List<String>> bySession = wanderer.received.stream()
                        .collect(Collectors.groupingBy(
                                event -> event.text("session_id"),
                                Collectors.mapping(SseStream.Event::id, Collectors.toList())));
                for (Chat chat : chats) {
                    List<String> history = ids(ownerAtA.history(chat.sessionId()));
                    assertThat(history).hasSizeGreaterThan(5);
                    assertThat(bySession.get(chat.sessionId()))
                            .isEqualTo(chat.equals(chats.getFirst()) ? history.subList(1, history.size()) : history);
                }
            }
        }
    }

    private static void command(Api api, List<Chat> chats, int commands) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        List<String> verbs = List.of("start", "yield", "pause", "resume");
        for (int i = 0; i < commands; i++) {
            Chat chat = chats.get(random.nextInt(chats.size()));
            Api.Reply reply = api.command(chat.sessionId(), verbs.get(random.nextInt(verbs.size())), "{}");
            assertThat(reply.status()).as(reply.text()).isIn(200, 409);
        }
    }

    /** Follows the workspace from one server to the other, each time for a few events. */
    private static final class Wanderer {
        private final List<SseStream.Event> received = new ArrayList<>();
        private String last;
        private int connections;
        private volatile String until;

        Wanderer(String from) {
            last = from;
        }

        void walk() {
            while (!last.equals(until)) {
                Api api = ThreadLocalRandom.current().nextBoolean() ? ownerAtA : ownerAtB;
                int stay = ThreadLocalRandom.current().nextInt(40);
                connections++;
                try (SseStream stream = api.stream("/workspaces/" + workspace + "/events", "Last-Event-ID", last)) {
                    await().atMost(Duration.ofSeconds(30))
                            .pollInterval(Duration.ofMillis(2))
                            .until(() -> stream.events().size() >= stay
                                    || last.equals(until)
                                    || (stream.lastId() != null
                                            && stream.lastId().equals(until)));
                    List<SseStream.Event> some = stream.events();
                    received.addAll(some);
                    last = some.isEmpty() ? last : some.getLast().id();
                }
            }
        }
    }

    @Test
    void streamOfAServerThatStopsEndsAndGoesOnElsewhere() {
        Service c = Service.start(a.databaseUrl(), Map.of());
        Chat chat = Chat.open(ownerAtA, workspace);
        try (SseStream atC = chat.as(ownerAtA.at(c)).streamAfter("0")) {
            atC.awaitStatus("idle");
            long began = System.nanoTime();
            c.close();
            atC.awaitEnd();
            assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(20));
            chat.does("start");
            try (SseStream atB = chat.as(ownerAtB).streamAfter(atC.lastId())) {
                atB.awaitStatus("running");
                assertThat(atB.events()).hasSize(1);
            }
        } finally {
            c.close();
        }
    }
}
