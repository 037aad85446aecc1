package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.dev.EmbeddedPostgres;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Postgres crashes under load and comes back: open streams stay open, and tell all that was acknowledged, once. */
@Tag("jvm")
class DatabaseCrashIT {
    @Test
    void streamsOutliveTheDatabase() throws Exception {
        try (EmbeddedPostgres postgres = Postgres.newServer("it-postgres-crash", "fsync=off");
                Service service = Service.start(Postgres.newDatabase(postgres), Map.of());
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Api owner = Api.user(service);
            String workspace = owner.newWorkspace();
            List<Chat> chats = IntStream.range(0, 4)
                    .mapToObj(_ -> Chat.open(owner, workspace))
                    .toList();
            ConcurrentSkipListSet<String> acknowledged = new ConcurrentSkipListSet<>();
            AtomicBoolean done = new AtomicBoolean();
            try (SseStream stream = owner.stream("/workspaces/" + workspace + "/events")) {
                List<Future<?>> commanders = chats.stream()
                        .<Future<?>>map(chat -> threads.submit(() -> command(chat, acknowledged, done)))
                        .toList();
                stream.awaitCount(50);

                postgres.crash();
                await().atMost(Duration.ofSeconds(20))
                        .until(() -> owner.get("/workspaces/" + workspace).status() == 503);
                int before = acknowledged.size();
                postgres.restart();

                await().atMost(Duration.ofSeconds(30)).until(() -> acknowledged.size() > before + 20);
                done.set(true);
                for (Future<?> commander : commanders) {
                    commander.get();
                }
                for (Chat chat : chats) {
                    List<JsonNode> history = owner.history(chat.sessionId());
                    assertThat(history.stream().map(event -> chat.sessionId() + " " + event.at("/data/version")))
                            .containsAll(acknowledged.stream()
                                    .filter(change -> change.startsWith(chat.sessionId()))
                                    .toList());
                    List<String> ids = history.stream()
                            .skip(1)
                            .map(event -> event.get("position").asText())
                            .toList();
                    await().atMost(Duration.ofSeconds(20))
                            .untilAsserted(() -> assertThat(stream.events().stream()
                                            .filter(event ->
                                                    event.text("session_id").equals(chat.sessionId()))
                                            .map(SseStream.Event::id))
                                    .containsExactlyElementsOf(ids));
                }
                assertThat(stream.isEnded()).isFalse();
            }
        }
    }

    private static void command(Chat chat, ConcurrentSkipListSet<String> acknowledged, AtomicBoolean done) {
        for (int i = 0; !done.get(); i++) {
            Api.Reply reply = chat.owner().command(chat.sessionId(), i % 2 == 0 ? "start" : "yield", "{}");
            assertThat(reply.status()).as(reply.text()).isIn(200, 409, 503);
            if (reply.status() == 200) {
                acknowledged.add(chat.sessionId() + " " + reply.json().at("/session/version"));
            }
        }
    }
}
