package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What streams begin with, carry and refuse. */
class EventStreamIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    @Test
    void chatStreamIsLiveFromNowOn() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start", "yield");

        try (SseStream stream = chat.stream()) {
            Chat.open(OWNER, WORKSPACE).does("start", "cancel");
            chat.does("pause", "resume");

            stream.awaitStatus("idle");
            assertThat(stream.statuses()).containsExactly("paused", "idle");
        }
    }

    @Test
    void workspaceStreamCarriesAllItsChatsAndNoOthers() {
        String workspace = OWNER.newWorkspace();
        try (SseStream stream = OWNER.stream("/workspaces/" + workspace + "/events")) {
            Chat.open(OWNER, WORKSPACE).does("start", "cancel");
            Chat first = Chat.open(OWNER, workspace).does("start");
            Chat second = Chat.open(OWNER, workspace).does("cancel");

            stream.awaitStatus("cancelled");
            assertThat(stream.changes())
                    .extracting(event -> event.text("session_id") + " " + event.text("status"))
                    .containsExactly(
                            first.sessionId() + " idle",
                            first.sessionId() + " running",
                            second.sessionId() + " idle",
                            second.sessionId() + " cancelled");
        }
    }

    @Test
    void beginsWithRetryAndSaysThatNothingMayHoldItUp() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream stream = chat.stream()) {
            chat.does("start");
            stream.awaitStatus("running");

            assertThat(stream.status()).isEqualTo(200);
            assertThat(stream.firstLine()).isEqualTo("retry: 1000");
            assertThat(stream.header("content-type")).startsWith("text/event-stream");
            assertThat(stream.header("cache-control")).contains("no-cache").contains("no-transform");
            assertThat(stream.header("x-accel-buffering")).isEqualTo("no");
        }
    }

    /** Some clients take each blank line for an event, and every client needs a position before its first cut. */
    @Test
    void beginsWithAPositionAndNoBlankLineBeforeIt() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        for (String path : List.of(chat.path(), "/workspaces/" + WORKSPACE + "/events")) {
            try (RawHttp.Connection connection = RawHttp.connect(Service.shared())) {
                String begun = connection
                        .send(RawHttp.head(
                                "GET /api/v1" + path + " HTTP/1.0", "Authorization: Bearer " + OWNER.token()))
                        .readUntil("}\n\n");

                assertThat(begun.substring(begun.indexOf("retry:")).replaceAll("\r\n[0-9a-f]+\r\n", ""))
                        .matches("retry: 1000\nid: (\\d+)\nevent: stream_open\ndata: \\{\"position\":\\1}\n\n");
            }
        }
    }

    @Test
    void streamThatIsCutBeforeItsFirstEventResumesWithoutAGap() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        for (String path : List.of(chat.path(), "/workspaces/" + WORKSPACE + "/events")) {
            String position;
            try (SseStream cut = OWNER.stream(path)) {
                SseStream.Event open = cut.awaitOpen();
                position = open.id();
                assertThat(open.text("position")).isEqualTo(position);
            }
            chat.does("start", "yield");
            try (SseStream resumed = OWNER.stream(path, "Last-Event-ID", position)) {
                resumed.awaitStatus("idle");

                assertThat(resumed.statuses()).endsWith("running", "idle");
            }
        }
    }

    @Test
    void statusEventCarriesWhatClientsRead() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream stream = chat.stream()) {
            OWNER.command(chat.sessionId(), "start", "{\"task\":\"dig \\n a\\r\\nhole\\u2028\"}")
                    .expect(200);
            OWNER.command(chat.sessionId(), "pause", "{\"reason\":\"lunch\"}").expect(200);

            JsonNode running = stream.awaitStatus("running").data();
            assertThat(running.get("session_id").asText()).isEqualTo(chat.sessionId());
            assertThat(running.get("chat_id").asText()).isEqualTo(chat.chatId());
            assertThat(running.get("agent_type").asText()).isEqualTo("assistant");
            assertThat(running.get("previous_status").asText()).isEqualTo("idle");
            assertThat(running.get("reason").isNull()).isTrue();
            assertThat(running.get("epoch").asLong()).isEqualTo(1);
            assertThat(java.time.Instant.parse(running.get("at").asText())).isNotNull();
            JsonNode paused = stream.awaitStatus("paused").data();
            assertThat(paused.get("reason").asText()).isEqualTo("lunch");
            JsonNode task =
                    stream.await(event -> event.type().equals("agent_task")).data();
            assertThat(task.get("task").asText()).isEqualTo("dig \n a\r\nhole\u2028");
            assertThat(task.get("session_id").asText()).isEqualTo(chat.sessionId());
            assertThat(task.get("chat_id").asText()).isEqualTo(chat.chatId());
            assertThat(task.get("agent_type").asText()).isEqualTo("assistant");
        }
    }

    @Test
    void eventInTheStreamIsTheEventOfTheHistory() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream stream = chat.streamAfter("0")) {
            OWNER.command(chat.sessionId(), "start", "{\"task\":\"count\"}").expect(200);
            OWNER.patch("/agent-sessions/" + chat.sessionId(), "{\"labels\":{\"a\":\"b\"},\"blocked_on\":\"x\"}")
                    .expect(200);
            chat.does("pause", "resume", "complete");
            stream.awaitEnd();

            assertThat(stream.events().stream().map(Chat::told).toList())
                    .isEqualTo(OWNER.history(chat.sessionId()).stream()
                            .map(Chat::told)
                            .toList())
                    .hasSizeGreaterThanOrEqualTo(7);
        }
    }

    @Test
    void snapshotOfAChatTellsItsStateThenWhatFollows() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start");
        try (SseStream stream = OWNER.stream(chat.path() + "?snapshot=true")) {
            SseStream.Event snapshot = stream.await(event -> event.type().equals("snapshot"));
            chat.does("pause");
            stream.awaitStatus("paused");

            assertThat(snapshot.data().get("position").asText()).isEqualTo(snapshot.id());
            assertThat(snapshot.data().get("sessions")).hasSize(1);
            JsonNode session = snapshot.data().at("/sessions/0");
            assertThat(session.get("id").asText()).isEqualTo(chat.sessionId());
            assertThat(session.get("status").asText()).isEqualTo("running");
            assertThat(session.properties().stream().map(java.util.Map.Entry::getKey))
                    .containsExactlyInAnyOrderElementsOf(OWNER.session(chat.sessionId()).properties().stream()
                            .map(java.util.Map.Entry::getKey)
                            .toList());
            assertThat(stream.changes()).extracting(SseStream.Event::type).containsExactly("snapshot", "agent_status");
        }
    }

    @Test
    void snapshotOfAWorkspaceTellsItsLiveSessions() {
        String workspace = OWNER.newWorkspace();
        Chat idle = Chat.open(OWNER, workspace);
        Chat running = Chat.open(OWNER, workspace).does("start");
        Chat.open(OWNER, workspace).does("cancel");
        try (SseStream stream = OWNER.stream("/workspaces/" + workspace + "/events?snapshot=true")) {
            SseStream.Event snapshot = stream.await(event -> event.type().equals("snapshot"));
            idle.does("start");
            stream.awaitStatus("running");

            assertThat(snapshot.data().get("sessions").valueStream())
                    .extracting(session -> session.get("id").asText() + " "
                            + session.get("status").asText())
                    .containsExactlyInAnyOrder(idle.sessionId() + " idle", running.sessionId() + " running");
            assertThat(stream.changes()).hasSize(2);
        }
    }

    @Test
    void snapshotOfAnEmptyWorkspaceIsEmpty() {
        try (SseStream stream = OWNER.stream("/workspaces/" + OWNER.newWorkspace() + "/events?snapshot=true")) {
            SseStream.Event snapshot = stream.await(event -> event.type().equals("snapshot"));

            assertThat(snapshot.data().get("sessions")).isEmpty();
        }
    }

    @Test
    void resumesRightAfterThePositionByHeaderOrParameter() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start", "pause", "resume");
        String second = chat.idOf(2);
        List<String> rest = List.of(chat.idOf(3), chat.idOf(4));
        try (SseStream byHeader = chat.streamAfter(second);
                SseStream byParameter = OWNER.stream(chat.path() + "?last_event_id=" + second);
                SseStream byPolyfill = OWNER.stream(chat.path() + "?lastEventId=" + second);
                SseStream byPolyfillAgain =
                        OWNER.stream(chat.path() + "?last_event_id=0&lastEventId=" + second, "Last-Event-ID", "");
                SseStream byBoth = OWNER.stream(
                        chat.path() + "?last_event_id=0&lastEventId=0&snapshot=true", "Last-Event-ID", second)) {
            chat.does("yield");
            for (SseStream stream : List.of(byHeader, byParameter, byPolyfill, byPolyfillAgain, byBoth)) {
                stream.awaitStatus("idle");
                assertThat(stream.ids()).startsWith(rest.toArray(String[]::new)).hasSize(3);
                assertThat(stream.statuses()).containsExactly("paused", "running", "idle");
            }
        }
    }

    /** The last page of the log is full, nearly full and empty. */
    @ParameterizedTest
    @ValueSource(ints = {1, EventLog.PAGE - 1, EventLog.PAGE, EventLog.PAGE + 1, 2 * EventLog.PAGE, 2_500})
    void resumesAcrossManyEvents(int count) {
        Chat chat = Chat.open(OWNER.amongNewer(), WORKSPACE);
        String before = chat.idOf(1);
        chat.append(Service.shared().databaseUrl(), count, 10);
        try (SseStream ofChat = chat.streamAfter(before)) {
            chat.does("start");

            ofChat.awaitStatus("running");
            assertThat(ofChat.events()).hasSize(count + 1);
            assertThat(ofChat.events().subList(0, count))
                    .extracting(event -> event.data().path("n").asInt())
                    .isEqualTo(
                            java.util.stream.IntStream.range(0, count).boxed().toList());
        }
    }

    @Test
    void positionThatWasNeverGivenGetsAResetAndASnapshot() {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream stream = chat.streamAfter(Long.toString(Long.MAX_VALUE))) {
            chat.does("start");
            stream.awaitStatus("running");

            assertThat(stream.events())
                    .extracting(SseStream.Event::type)
                    .containsExactly("reset", "snapshot", "agent_status");
            // a client that loses the snapshot asks again from where it was
            assertThat(stream.events().get(0).id()).isNull();
            assertThat(stream.events().get(1).id()).isNotNull();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"abc", "-1", "+1", "1.5", "0x10", "1 2", "9223372036854775808", "99999999999999999999999"})
    void badPositionIsRefusedByName(String position) {
        Chat chat = Chat.open(OWNER, WORKSPACE);
        String encoded = URLEncoder.encode(position, StandardCharsets.UTF_8);
        for (String path : List.of(chat.path(), "/workspaces/" + WORKSPACE + "/events")) {
            JsonNode byHeader = OWNER.get(path, "Last-Event-ID", position).expectProblem(400, "VALIDATION_ERROR");
            assertThat(byHeader.get("fields").has("Last-Event-ID")).isTrue();

            JsonNode byParameter = OWNER.get(path + "?last_event_id=" + encoded).expectProblem(400, "VALIDATION_ERROR");
            assertThat(byParameter.get("fields").has("last_event_id")).isTrue();

            JsonNode byPolyfill = OWNER.get(path + "?lastEventId=" + encoded).expectProblem(400, "VALIDATION_ERROR");
            assertThat(byPolyfill.get("fields").has("lastEventId")).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"１２", "٣", "1\u0000"})
    void positionInOtherDigitsIsRefused(String position) {
        String encoded = URLEncoder.encode(position, StandardCharsets.UTF_8);

        OWNER.get("/workspaces/" + WORKSPACE + "/events?last_event_id=" + encoded)
                .expectProblem(400, "VALIDATION_ERROR");
    }

    @Test
    void unknownChatsAndWorkspacesAreNotFound() {
        OWNER.get("/workspaces/" + WORKSPACE + "/chats/" + UUID.randomUUID() + "/events")
                .expectProblem(404, "NOT_FOUND");
        OWNER.get("/workspaces/" + UUID.randomUUID() + "/events").expectProblem(404, "NOT_FOUND");
        OWNER.get("/workspaces/" + UUID.randomUUID() + "/chats/" + UUID.randomUUID() + "/events")
                .expectProblem(404, "NOT_FOUND");
    }

    @Test
    void idsThatAreNoneAreRefusedByName() {
        JsonNode chat =
                OWNER.get("/workspaces/" + WORKSPACE + "/chats/1/events").expectProblem(400, "VALIDATION_ERROR");
        assertThat(chat.get("fields").has("chat_id")).isTrue();

        JsonNode workspace = OWNER.get("/workspaces/1/events").expectProblem(400, "VALIDATION_ERROR");
        assertThat(workspace.get("fields").has("workspace_id")).isTrue();
    }

    @Test
    void strangersSeeNothing() {
        Chat chat = Chat.open(OWNER, WORKSPACE).does("start");
        Api stranger = Api.user(Service.shared());
        String theirs = stranger.newWorkspace();

        stranger.get(chat.path()).expectProblem(403, "FORBIDDEN");
        stranger.get(chat.path(), "Last-Event-ID", "0").expectProblem(403, "FORBIDDEN");
        stranger.get("/workspaces/" + WORKSPACE + "/events?snapshot=true").expectProblem(403, "FORBIDDEN");
        for (String position : List.of("", "?last_event_id=0", "?snapshot=true")) {
            stranger.get("/workspaces/" + theirs + "/chats/" + chat.chatId() + "/events" + position)
                    .expectProblem(404, "NOT_FOUND");
        }
        try (SseStream stream = stranger.stream("/workspaces/" + theirs + "/events", "Last-Event-ID", "0")) {
            chat.does("pause");
            Chat.open(stranger, theirs);
            stream.awaitStatus("idle");

            assertThat(stream.events()).hasSize(1);
        }
    }

    /** The same chat id in two workspaces is two chats. */
    @Test
    void chatOfTheSameIdElsewhereIsAnother() {
        Api other = Api.user(Service.shared());
        String theirs = other.newWorkspace();
        Chat chat = Chat.open(OWNER, WORKSPACE);
        JsonNode twin = other.newSession(
                theirs, "{\"agent_type\":\"builder\",\"model\":\"m\",\"chat_id\":\"" + chat.chatId() + "\"}");
        Chat theirChat = new Chat(other, theirs, chat.chatId(), twin.get("id").asText());
        try (SseStream mine = chat.streamAfter("0");
                SseStream their = theirChat.streamAfter("0")) {
            chat.does("start", "complete");
            theirChat.does("cancel");
            mine.awaitEnd();
            their.awaitEnd();

            assertThat(mine.statuses()).containsExactly("idle", "running", "completed");
            assertThat(their.statuses()).containsExactly("idle", "cancelled");
        }
    }

    @Test
    void viewersFollowWhatTheyMayNotTouch() {
        Api viewer = Api.user(Service.shared());
        OWNER.addMember(WORKSPACE, viewer, "viewer");
        Chat chat = Chat.open(OWNER, WORKSPACE);
        try (SseStream stream = chat.as(viewer).stream()) {
            chat.does("start");

            stream.awaitStatus("running");
        }
        viewer.command(chat.sessionId(), "pause", "{}").expectProblem(403, "FORBIDDEN");
    }
}
