package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Streams of plain sessions that have ended: the rest of the events, then the end, then 204. */
class EndedStreamIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    @Test
    void streamEndsWithTheLastEventAndIsThenDrained() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start");
        try (SseStream stream = chat.stream()) {
            chat.does("complete");
            stream.awaitEnd();

            assertThat(stream.statuses()).containsExactly("completed");
            assertThat(OWNER.get(chat.path(), "Last-Event-ID", stream.lastId()).status())
                    .isEqualTo(204);
            assertThat(OWNER.get(chat.path() + "?last_event_id=" + stream.lastId())
                            .status())
                    .isEqualTo(204);
        }
    }

    @Test
    void resumedFromBeforeItGivesTheRestThenEnds() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start", "pause", "cancel");
        try (SseStream fromTheStart = chat.streamAfter("0");
                SseStream fromTheMiddle = chat.streamAfter(chat.idOf(2))) {
            fromTheStart.awaitEnd();
            fromTheMiddle.awaitEnd();

            assertThat(fromTheStart.statuses()).containsExactly("idle", "running", "paused", "cancelled");
            assertThat(fromTheMiddle.statuses()).containsExactly("paused", "cancelled");
        }
    }

    @Test
    void snapshotTellsHowItEndedThenEnds() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start", "complete");
        try (SseStream stream = OWNER.stream(chat.path() + "?snapshot=true")) {
            stream.awaitEnd();

            assertThat(stream.events()).hasSize(1);
            assertThat(stream.events().getFirst().type()).isEqualTo("snapshot");
            assertThat(stream.events()
                            .getFirst()
                            .data()
                            .at("/sessions/0/status")
                            .asText())
                    .isEqualTo("completed");
            assertThat(OWNER.get(chat.path() + "?snapshot=true", "Last-Event-ID", stream.lastId())
                            .status())
                    .isEqualTo(204);
        }
    }

    @Test
    void withoutAPositionNothingIsToCome() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("cancel");

        assertThat(OWNER.get(chat.path()).status()).isEqualTo(204);
    }

    @Test
    void workspaceStreamOutlivesItsSessions() {
        String workspace = OWNER.newWorkspace();
        try (SseStream stream = OWNER.stream("/workspaces/" + workspace + "/events")) {
            Chat.open(OWNER, workspace).does("cancel");
            stream.awaitStatus("cancelled");
            Chat.open(OWNER, workspace).does("start");

            stream.awaitStatus("running");
            assertThat(stream.isEnded()).isFalse();
        }
    }

    @Test
    void chatThatGoesOnWithAnotherSessionIsFollowedAcrossBoth() {
        Chat first = Chat.open(OWNER, WORKSPACE).does("start", "complete");
        String next = OWNER.newSession(
                        WORKSPACE,
                        "{\"agent_type\":\"assistant\",\"model\":\"m\",\"chat_id\":\"" + first.chatId() + "\"}")
                .get("id")
                .asText();
        Chat second = new Chat(OWNER, WORKSPACE, first.chatId(), next);
        try (SseStream stream = first.streamAfter("0")) {
            second.does("start", "cancel");
            stream.awaitEnd();

            assertThat(stream.statuses())
                    .containsExactly("idle", "running", "completed", "idle", "running", "cancelled");
        }
    }

    /** A stream that is being opened while its session ends must neither miss the end nor stay open after it. */
    @Test
    void openingRacesTheEnd() throws Exception {
        int rounds = 150;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> races = new ArrayList<>();
            for (int i = 0; i < rounds; i++) {
                races.add(threads.submit(this::raceTheEnd));
                if (i % 10 == 9) {
                    for (Future<?> race : races) {
                        race.get();
                    }
                    races.clear();
                }
            }
        }
    }

    private void raceTheEnd() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        Thread end = Thread.ofVirtual().start(() -> chat.does("cancel"));
        try (SseStream stream = chat.streamAfter("0")) {
            stream.awaitEnd();

            assertThat(stream.statuses()).containsExactly("idle", "cancelled");
            end.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
