package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.OpenApi.Operation;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A POST with an {@code Idempotency-Key} happens once, and its first answer is the only one. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class IdempotencyIT {
    private static final Service SERVICE = Service.shared();
    private static final OpenApi DOCUMENT = OpenApi.of(SERVICE);

    private static final Api FORGOTTEN = Api.user(SERVICE);

    private static Service second;

    private final Api user = Api.user(SERVICE);

    @BeforeAll
    static void startSecond() {
        post(FORGOTTEN, "/workspaces", "{\"name\":\"Old\"}", "yesterday").expect(201);
        int aged = Postgres.execute(
                SERVICE.databaseUrl(),
                "update idempotency_keys set created_at = now() - interval '25 hours' where user_id = ?",
                FORGOTTEN.userId());
        assertThat(aged).isEqualTo(1);
        Postgres.execute(
                SERVICE.databaseUrl(),
                "update sweeps set started_at = now() - interval '1 hour' where name = 'housekeeping'");
        second = Service.start(SERVICE.databaseUrl(), Map.of());
    }

    @AfterAll
    static void stopSecond() {
        second.close();
    }

    private static String newKey() {
        return "key-" + UUID.randomUUID();
    }

    private static Api.Reply post(Api caller, String path, String body, String key) {
        return caller.post(path, body, "Idempotency-Key", key);
    }

    private long workspaces() {
        return user.get("/workspaces").expect(200).get("count").asLong();
    }

    private static void assertSame(Api.Reply again, Api.Reply first) {
        assertThat(again.status()).as(again.text()).isEqualTo(first.status());
        assertThat(again.text()).isEqualTo(first.text());
        for (String header : List.of("location", "etag", "content-type")) {
            assertThat(again.header(header)).as(header).isEqualTo(first.header(header));
        }
    }

    /** A call of the operation that does something, on a new session in the state it needs. */
    private Api.Reply call(Operation operation, String workspace, String session, String chat, String key) {
        String path =
                operation.path(name -> name.equals("workspaceId") ? workspace : name.equals("chatId") ? chat : session);
        String body = switch (operation.toString()) {
            case "POST /api/v1/workspaces/{workspaceId}/members" ->
                "{\"user_id\":\"" + session + "\",\"role\":\"viewer\"}";
            case "POST /api/v1/workspaces/{workspaceId}/agent-sessions" ->
                "{\"agent_type\":\"planner\",\"model\":\"m\",\"chat_id\":\"" + chat + "\"}";
            case "POST /api/v1/workspaces/{workspaceId}/chats" -> "{}";
            case "POST /api/v1/workspaces/{workspaceId}/chats/{chatId}/answers" -> "{\"answer\":\"x\"}";
            case "POST /api/v1/agent-sessions/heartbeats" -> "{\"beats\":[{\"id\":\"" + session + "\",\"epoch\":1}]}";
            default ->
                operation.body() == null
                        ? ""
                        : DOCUMENT.sample(operation.body()).toString();
        };
        return post(user, path, body, key);
    }

    /** Its agent waits for an answer. */
    private String chatThatAsks(String workspace) {
        String chats = "/workspaces/" + workspace + "/chats";
        JsonNode made = user.post(chats, "{}").expect(201);
        String chat = made.get("chat_id").asText();
        user.post(chats + "/" + chat, "{\"content\":\"/ask Why?\"}").expect(202);
        await().until(() -> user.history(made.get("session_id").asText()).stream()
                .anyMatch(event -> event.get("event").asText().equals("question_pending")));
        return chat;
    }

    @TestFactory
    Stream<DynamicTest> everyPostIsDoneOnce() {
        return DOCUMENT.operations().stream()
                .filter(operation -> operation.method().equals("POST"))
                // a new token does nothing twice, and is a secret that must not be kept
                .filter(operation -> !operation.path().equals("/api/v1/stream-tokens"))
                // what operators do needs a fleet: see FleetIT, SessionMigrationIT
                .filter(operation -> !operation.path().startsWith("/api/v1/servers/")
                        && !operation.path().endsWith("/migrate"))
                // what hosts elsewhere do needs one: see HostIT
                .filter(operation -> !operation.path().startsWith("/api/v1/agent-hosts"))
                .map(operation -> DynamicTest.dynamicTest(operation.toString(), () -> {
                    assertThat(operation.parameters())
                            .anyMatch(parameter -> parameter.name().equals("Idempotency-Key"));
                    String workspace = user.newWorkspace();
                    String session = user.newSession(workspace).get("id").asText();
                    switch (operation.path().substring(operation.path().lastIndexOf('/') + 1)) {
                        case "yield", "complete", "fail" ->
                            user.command(session, "start", "{}").expect(200);
                        case "resume" -> user.command(session, "pause", "{}").expect(200);
                        default -> {}
                    }
                    String chat = operation.path().contains("{chatId}")
                            ? chatThatAsks(workspace)
                            : UUID.randomUUID().toString();
                    String key = newKey();
                    Api.Reply first = call(operation, workspace, session, chat, key);
                    assertThat(first.status()).as(first.text()).isBetween(200, 299);
                    long version = user.session(session).get("version").asLong();

                    assertSame(call(operation, workspace, session, chat, key), first);
                    assertSame(call(operation, workspace, session, chat, key), first);

                    assertThat(user.session(session).get("version").asLong()).isEqualTo(version);
                }));
    }

    @Test
    void theFirstAnswerOutlivesWhatHappensNext() {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        String key = newKey();
        Api.Reply started = post(user, "/agent-sessions/" + session + "/start", "{\"task\":\"Go\"}", key);
        started.expect(200);
        user.delete("/agent-sessions/" + session).expect(200);

        Api.Reply again = post(user, "/agent-sessions/" + session + "/start", "{\"task\":\"Go\"}", key);

        assertSame(again, started);
        assertThat(again.json().at("/session/status").asText()).isEqualTo("running");
        assertThat(user.session(session).get("status").asText()).isEqualTo("cancelled");
        user.delete("/workspaces/" + workspace).expect(200);
        assertSame(post(user, "/agent-sessions/" + session + "/start", "{\"task\":\"Go\"}", key), started);
    }

    @Test
    void anotherBodyOrPathIsRefused() {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        String key = newKey();
        post(user, "/workspaces", "{\"name\":\"One\"}", key).expect(201);
        long before = workspaces();

        for (Api.Reply reply : List.of(
                post(user, "/workspaces", "{\"name\":\"Two\"}", key),
                post(
                        user,
                        "/workspaces/" + workspace + "/agent-sessions",
                        "{\"agent_type\":\"planner\",\"model\":\"m\"}",
                        key),
                post(user, "/agent-sessions/" + session + "/start", "{}", key),
                post(user, "/agent-sessions/" + session + "/pause", "{}", key))) {
            reply.expectProblem(422, "IDEMPOTENCY_MISMATCH");
        }

        assertThat(workspaces()).isEqualTo(before);
        assertThat(user.session(session).get("version").asInt()).isEqualTo(1);
        post(user, "/workspaces", "{\"name\":\"One\"}", key).expect(201);
        assertThat(workspaces()).isEqualTo(before);
    }

    @Test
    void theSameBodyMayBeWrittenInAnotherWay() {
        String key = newKey();
        Api.Reply first = post(user, "/workspaces", "{\"name\":\"Same\"}", key);
        first.expect(201);

        assertSame(post(user, "/workspaces", " { \"name\" : \"S\\u0061me\" } ", key), first);
    }

    /** And its fingerprint is the one that servers of earlier builds make of it. */
    @Test
    void theSamePathMayBeWrittenInAnotherWay() {
        String workspace = user.newWorkspace();
        String chats = "/workspaces/" + workspace + "/chats";
        String chat = user.post(chats, "{}").expect(201).get("chat_id").asText();
        String stop = chats + "/" + chat + "/stop";
        String key = newKey();
        Api.Reply first =
                post(user, "/workspaces/" + workspace.toUpperCase(Locale.ROOT) + "/chats/" + chat + "/stop", "", key);
        first.expect(200);

        assertSame(post(user, stop, "", key), first);
        assertSame(post(user, stop.replace(chat, chat.toUpperCase(Locale.ROOT)), "", key), first);
        assertSame(post(user, stop.replace("-", "%2D"), "", key), first);
        assertSame(post(user, stop + "/", "", key), first);
        assertThat(Postgres.query(
                        SERVICE.databaseUrl(),
                        "select fingerprint = sha256('POST /api/v1" + stop
                                + "'::bytea || '\\x00'::bytea || '\"\"'::bytea)"
                                + " as same from idempotency_keys where key = '" + key + "'"))
                .containsExactly(Map.of("same", true));
    }

    @Test
    void fiftyCallersAtOnce() {
        for (int round = 0; round < 5; round++) {
            String key = newKey();
            long before = workspaces();

            List<Api.Reply> replies = AtOnce.run(
                    50, i -> post(i % 2 == 0 ? user : user.at(second), "/workspaces", "{\"name\":\"Once\"}", key));

            List<Api.Reply> done =
                    replies.stream().filter(reply -> reply.status() == 201).toList();
            assertThat(done).isNotEmpty();
            assertThat(done.stream().map(Api.Reply::json).collect(Collectors.toSet()))
                    .hasSize(1);
            assertThat(replies).filteredOn(reply -> reply.status() != 201).allSatisfy(reply -> {
                JsonNode problem = reply.expectProblem(409, "CONFLICT");
                assertThat(problem.get("in_flight").asBoolean()).isTrue();
                assertThat(reply.header("retry-after")).isEqualTo("1");
            });
            assertThat(workspaces()).isEqualTo(before + 1);
            assertThat(post(user.at(second), "/workspaces", "{\"name\":\"Once\"}", key)
                            .json())
                    .isEqualTo(done.getFirst().json());
        }
    }

    /** Holds the key as a request that is still running does, from outside. */
    @Test
    void whatIsStillInFlightIsAConflict() throws SQLException {
        String key = newKey();
        try (Connection elsewhere = Postgres.connect(SERVICE.databaseUrl());
                PreparedStatement lock = elsewhere.prepareStatement(
                        "select pg_advisory_xact_lock(hashtextextended(? || ':' || ?, 0))")) {
            elsewhere.setAutoCommit(false);
            lock.setString(1, user.userId().toString());
            lock.setString(2, key);
            lock.execute();

            JsonNode problem =
                    post(user, "/workspaces", "{\"name\":\"x\"}", key).expectProblem(409, "CONFLICT");
            assertThat(problem.get("in_flight").asBoolean()).isTrue();
            elsewhere.rollback();
        }

        post(user, "/workspaces", "{\"name\":\"x\"}", key).expect(201);
    }

    @Test
    void anotherUsersKeyIsAnotherKey() {
        String key = newKey();
        Api other = Api.user(SERVICE);

        JsonNode mine = post(user, "/workspaces", "{\"name\":\"Mine\"}", key).expect(201);
        JsonNode theirs =
                post(other, "/workspaces", "{\"name\":\"Theirs\"}", key).expect(201);

        assertThat(theirs.at("/workspace/id")).isNotEqualTo(mine.at("/workspace/id"));
        assertThat(theirs.at("/workspace/created_by").asText())
                .isEqualTo(other.userId().toString());
    }

    @Test
    void aRefusalIsRepeatedThoughTheStateHasMovedOn() {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        String key = newKey();
        Api.Reply refused = post(user, "/agent-sessions/" + session + "/yield", "", key);
        refused.expectProblem(409, "CONFLICT");
        user.command(session, "start", "{}").expect(200);

        Api.Reply again = post(user, "/agent-sessions/" + session + "/yield", "", key);

        assertThat(again.json()).isEqualTo(refused.json());
        again.expectProblem(409, "CONFLICT");
        assertThat(user.session(session).get("status").asText()).isEqualTo("running");
    }

    @Test
    void aRefusedCreationIsRepeated() {
        String workspace = user.newWorkspace();
        JsonNode live = user.newSession(workspace);
        String body = "{\"agent_type\":\"planner\",\"model\":\"m\",\"chat_id\":\""
                + live.get("chat_id").asText() + "\"}";
        String path = "/workspaces/" + workspace + "/agent-sessions";
        String key = newKey();
        Api.Reply refused = post(user, path, body, key);
        refused.expectProblem(409, "CONFLICT");
        user.delete("/agent-sessions/" + live.get("id").asText()).expect(200);

        assertThat(post(user, path, body, key).json()).isEqualTo(refused.json());
        post(user, path, body, newKey()).expect(201);
    }

    @Test
    void aStaleVersionIsRepeated() {
        String session = user.newSession(user.newWorkspace()).get("id").asText();
        String key = newKey();
        String path = "/agent-sessions/" + session + "/start";
        JsonNode refused = user.post(path, "{}", "Idempotency-Key", key, "If-Match", "\"v7\"")
                .expectProblem(412, "STALE_VERSION");

        assertThat(user.post(path, "{}", "Idempotency-Key", key, "If-Match", "\"v7\"")
                        .expectProblem(412, "STALE_VERSION"))
                .isEqualTo(refused);
        assertThat(user.session(session).get("status").asText()).isEqualTo("idle");
    }

    @Test
    void whatWasNeverTriedDoesNotBurnTheKey() {
        String key = newKey();
        post(user, "/workspaces", "{\"name\":\"\"}", key).expectProblem(400, "VALIDATION_ERROR");
        post(user, "/workspaces", "{\"nam", key).expectProblem(400, "VALIDATION_ERROR");
        Api.withToken(SERVICE, null, null)
                .post("/workspaces", "{\"name\":\"x\"}", "Idempotency-Key", key)
                .expectProblem(401, "INVALID_TOKEN");

        post(user, "/workspaces", "{\"name\":\"Good\"}", key).expect(201);
    }

    @Test
    void aQuotaThatMayBeFreeAgainDoesNotBurnTheKey() {
        String workspace = user.newWorkspace();
        user.patch("/workspaces/" + workspace, "{\"max_live_sessions\":0}").expect(200);
        String path = "/workspaces/" + workspace + "/agent-sessions";
        String body = "{\"agent_type\":\"planner\",\"model\":\"m\"}";
        String key = newKey();
        post(user, path, body, key).expectProblem(429, "QUOTA_EXCEEDED");
        user.patch("/workspaces/" + workspace, "{\"max_live_sessions\":1}").expect(200);

        post(user, path, body, key).expect(201);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a\tb", "é"})
    void aKeyIsPrintableAscii(String key) {
        String body = "{\"name\":\"x\"}";
        String head = RawHttp.head(
                "POST /api/v1/workspaces HTTP/1.1",
                "Authorization: Bearer " + user.token(),
                "Content-Type: application/json",
                "Content-Length: " + body.length(),
                "Idempotency-Key: " + key);

        JsonNode problem = RawHttp.send(SERVICE, head + body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.at("/fields/Idempotency-Key").asText()).isNotEmpty();
        assertThat(workspaces()).isZero();
    }

    @Test
    void aKeyHasALength() {
        String body = "{\"name\":\"x\"}";

        post(user, "/workspaces", body, "k".repeat(256)).expectProblem(400, "VALIDATION_ERROR");
        assertSame(post(user, "/workspaces", body, "k".repeat(255)), post(user, "/workspaces", body, "k".repeat(255)));
        assertThat(workspaces()).isEqualTo(1);
    }

    @Test
    void onAnyServer() {
        String key = newKey();
        Api.Reply first = post(user, "/workspaces", "{\"name\":\"x\"}", key);
        Api.Reply elsewhere = post(user.at(second), "/workspaces", "{\"name\":\"x\"}", key);

        assertThat(elsewhere.expect(201)).isEqualTo(first.expect(201));
        assertThat(elsewhere.header("location")).isEqualTo(first.header("location"));
        post(user.at(second), "/workspaces", "{\"name\":\"y\"}", key).expectProblem(422, "IDEMPOTENCY_MISMATCH");
        assertThat(workspaces()).isEqualTo(1);
    }

    /** The key is older than it is kept, and the housekeeping's turn has come: the second server did it when it began. */
    @Test
    void aKeyIsForgottenAfterItsTime() {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .until(() -> Postgres.query(
                                SERVICE.databaseUrl(),
                                "select from idempotency_keys where user_id = '" + FORGOTTEN.userId() + "'")
                        .isEmpty());

        post(FORGOTTEN, "/workspaces", "{\"name\":\"New\"}", "yesterday").expect(201);

        assertThat(FORGOTTEN.get("/workspaces").expect(200).get("count").asInt())
                .isEqualTo(2);
    }
}
