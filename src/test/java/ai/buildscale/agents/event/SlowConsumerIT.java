package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.RawStream;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Who reads too slowly is closed, can go on where it stopped, and costs the others nothing. */
class SlowConsumerIT {
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of("events.stall-timeout", "3S"));
        owner = Api.user(service).amongNewer();
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    private static void appendAndWake(Chat chat, int count, int bytes) {
        chat.append(service.databaseUrl(), count, bytes);
        Postgres.query(service.databaseUrl(), "select pg_notify('agent_events', '')::text");
    }

    private static void assertNothingStays() {
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(
                        () -> assertThat(service.metric("events_streams_open")).isZero());
        assertThat(service.log()).doesNotContain("OutOfMemoryError").doesNotContain("OutOfDirectMemoryError");
    }

    @Test
    void clientThatNeverReadsIsClosedAndTheOthersGetAllOfIt() {
        Chat chat = Chat.open(owner, workspace);
        double slowBefore = service.metric("events_streams_slow_total");
        try (RawStream stalled = RawStream.open(owner, chat.path());
                RawStream stalledToo = RawStream.open(owner, "/workspaces/" + workspace + "/events");
                SseStream fast = chat.stream()) {
            await().until(() -> service.metric("events_streams_open") == 3);
            int appended = 0;
            while (service.metric("events_streams_slow_total") < slowBefore + 2) {
                appendAndWake(chat, 100, 8_000);
                appended += 100;
                fast.awaitCount(appended);
                assertThat(appended).as("events that nobody took").isLessThan(10_000);
            }
            chat.does("start");

            fast.awaitStatus("running");
            assertThat(fast.events().subList(0, appended))
                    .extracting(event -> event.data().get("n").asInt())
                    .isEqualTo(IntStream.range(0, appended)
                            .map(n -> n % 100)
                            .boxed()
                            .toList());
            assertThat(fast.ids().stream().map(Long::valueOf)).isSorted().doesNotHaveDuplicates();
            stalled.drain();
            stalledToo.drain();
        }
        assertNothingStays();
    }

    @Test
    void slowReaderGoesOnWhereItWasCutOff() {
        Chat chat = Chat.open(owner, workspace);
        double slowBefore = service.metric("events_streams_slow_total");
        List<String> received = new ArrayList<>();
        try (RawStream slow = RawStream.open(owner, chat.path(), "Last-Event-ID", "0")) {
            await().until(() -> service.metric("events_streams_open") == 1);
            while (service.metric("events_streams_slow_total") == slowBefore) {
                appendAndWake(chat, 100, 8_000);
                slow.read(10_000);
            }
            slow.drain();
            received.addAll(slow.ids());
        }
        chat.does("cancel");
        List<String> all = owner.history(chat.sessionId()).stream()
                .map(event -> event.get("position").asText())
                .toList();
        assertThat(received).isNotEmpty().isEqualTo(all.subList(0, received.size()));

        try (SseStream resumed = chat.streamAfter(received.getLast())) {
            resumed.awaitEnd();
            received.addAll(resumed.ids());
        }
        assertThat(received).isEqualTo(all);
        assertNothingStays();
    }

    /** Each would have to be given 8 MB; the process has half a gigabyte. */
    @Test
    void manyThatResumeAndNeverReadAreClosedAndCostLittle() {
        Chat chat = Chat.open(owner, workspace);
        chat.append(service.databaseUrl(), 2_000, 4_000);
        double slowBefore = service.metric("events_streams_slow_total");
        int crowd = 200;
        List<RawStream> stalled = new ArrayList<>();
        try {
            for (int i = 0; i < crowd; i++) {
                stalled.add(RawStream.open(owner, chat.path(), "Last-Event-ID", "0"));
            }
            try (SseStream fast = chat.streamAfter("0")) {
                fast.awaitCount(2_001);
                chat.does("start");
                fast.awaitStatus("running");
            }
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(() -> assertThat(service.metric("events_streams_slow_total"))
                            .isEqualTo(slowBefore + crowd));
            // their connections too, although they are still there and have not read
            await().atMost(Duration.ofSeconds(20))
                    .untilAsserted(() -> assertThat(service.metric("vertx_http_connections_current"))
                            .isLessThan(crowd / 2.0));
        } finally {
            stalled.forEach(RawStream::close);
        }
        assertNothingStays();
    }

    @Test
    void clientsThatVanishWhileTheirStreamOpensLeaveNothingBehind() {
        Chat chat = Chat.open(owner, workspace);
        for (int i = 0; i < 300; i++) {
            try (RawStream vanishing = RawStream.open(owner, chat.path(), "Last-Event-ID", "0")) {
                if (i % 3 == 0) {
                    vanishing.read(200);
                }
                if (i % 5 == 0) {
                    chat.does(i % 10 == 0 ? "start" : "yield");
                }
            }
        }
        try (SseStream stream = chat.streamAfter("0")) {
            chat.does("cancel");
            stream.awaitEnd();
            JsonNode last = owner.history(chat.sessionId()).getLast();
            assertThat(stream.lastId()).isEqualTo(last.get("position").asText());
        }
        assertNothingStays();
    }
}
