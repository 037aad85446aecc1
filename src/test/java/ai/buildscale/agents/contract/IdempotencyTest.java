package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.OpenApi.Operation;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.RawHttp;
import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import io.restassured.response.ValidatableResponse;
import io.restassured.specification.RequestSpecification;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A POST with an {@code Idempotency-Key} happens once, and its first answer is the only one. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class IdempotencyTest {
    private static final Map<String, String> PLANNER = Map.of("agent_type", "planner", "model", "m");

    private final Api user = Api.newUser();
    private final String key = newKey();

    private static String newKey() {
        return "key-" + UUID.randomUUID();
    }

    private String newSession() {
        return user.newSession(user.newWorkspace()).get("id").asText();
    }

    private Response createWorkspace(String key, String name) {
        return user.given(key).body(Map.of("name", name)).post("/workspaces");
    }

    private Response createSession(String key, String workspace, Object body) {
        return user.given(key).body(body).post("/workspaces/{id}/agent-sessions", workspace);
    }

    private Response command(String session, String command, Object body) {
        return user.given(key).body(body).post("/agent-sessions/{id}/{command}", session, command);
    }

    private ValidatableResponse session(String id) {
        return user.given().get("/agent-sessions/{id}", id).then().statusCode(200);
    }

    private int workspaces() {
        return user.given().get("/workspaces").then().statusCode(200).extract().path("count");
    }

    private void limit(String workspace, int sessions) {
        user.given()
                .body(Map.of("max_live_sessions", sessions))
                .patch("/workspaces/{id}", workspace)
                .then()
                .statusCode(200);
    }

    private static void assertSame(Response again, Response first) {
        again.then().statusCode(first.statusCode()).body(is(first.asString()));
        for (String header : List.of("Location", "ETag", "Content-Type")) {
            assertThat(again.header(header)).as(header).isEqualTo(first.header(header));
        }
    }

    /** A call of the operation that does something, on a new session in the state it needs. */
    private Response call(
            OpenApi document, Operation operation, String workspace, String session, String chat, String key) {
        String path =
                operation.path(name -> name.equals("workspaceId") ? workspace : name.equals("chatId") ? chat : session);
        Object body = switch (operation.toString()) {
            case "POST /api/v1/workspaces/{workspaceId}/members" -> Map.of("user_id", session, "role", "viewer");
            case "POST /api/v1/workspaces/{workspaceId}/agent-sessions" ->
                Map.of("agent_type", "planner", "model", "m", "chat_id", chat);
            case "POST /api/v1/workspaces/{workspaceId}/chats" -> Map.of();
            case "POST /api/v1/workspaces/{workspaceId}/chats/{chatId}/answers" -> Map.of("answer", "x");
            case "POST /api/v1/agent-sessions/heartbeats" ->
                Map.of("beats", List.of(Map.of("id", session, "epoch", 1)));
            default ->
                operation.body() == null
                        ? null
                        : document.sample(operation.body()).toString();
        };
        RequestSpecification request = user.given(key).baseUri(user.service().url(""));
        return (body == null ? request : request.body(body)).post(path);
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
        OpenApi document = OpenApi.of(user.service());
        return document.operations().stream()
                .filter(operation -> operation.method().equals("POST"))
                // a new token does nothing twice, and is a secret that must not be kept
                .filter(operation -> !operation.path().equals("/api/v1/stream-tokens"))
                // what operators do needs a fleet: see FleetIT, SessionMigrationIT
                .filter(operation -> !operation.path().startsWith("/api/v1/servers/")
                        && !operation.path().endsWith("/migrate"))
                // what hosts elsewhere do needs one: see HostTest
                .filter(operation -> !operation.path().startsWith("/api/v1/agent-hosts"))
                .map(operation -> DynamicTest.dynamicTest(operation.toString(), () -> isDoneOnce(document, operation)));
    }

    private void isDoneOnce(OpenApi document, Operation operation) {
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
        String ownKey = newKey();
        Response first = call(document, operation, workspace, session, chat, ownKey);
        assertThat(first.statusCode()).as(first.asString()).isBetween(200, 299);
        int version = session(session).extract().path("session.version");

        assertSame(call(document, operation, workspace, session, chat, ownKey), first);
        assertSame(call(document, operation, workspace, session, chat, ownKey), first);

        session(session).body("session.version", is(version));
    }

    @Test
    void theFirstAnswerOutlivesWhatHappensNext() {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        Map<String, String> task = Map.of("task", "Go");
        Response started = command(session, "start", task);
        started.then().statusCode(200);
        user.given().delete("/agent-sessions/{id}", session).then().statusCode(200);

        Response again = command(session, "start", task);

        assertSame(again, started);
        again.then().body("session.status", is("running"));
        session(session).body("session.status", is("cancelled"));
        user.given().delete("/workspaces/{id}", workspace).then().statusCode(200);
        assertSame(command(session, "start", task), started);
    }

    @Test
    void anotherBodyOrPathIsRefused() {
        String workspace = user.newWorkspace();
        String session = user.newSession(workspace).get("id").asText();
        createWorkspace(key, "One").then().statusCode(201);
        int before = workspaces();

        for (Response reply : List.of(
                createWorkspace(key, "Two"),
                createSession(key, workspace, PLANNER),
                command(session, "start", "{}"),
                command(session, "pause", "{}"))) {
            reply.then().spec(problem(422, "IDEMPOTENCY_MISMATCH"));
        }

        assertThat(workspaces()).isEqualTo(before);
        session(session).body("session.version", is(1));
        createWorkspace(key, "One").then().statusCode(201);
        assertThat(workspaces()).isEqualTo(before);
    }

    @Test
    void theSameBodyMayBeWrittenInAnotherWay() {
        Response first = user.given(key).body("{\"name\":\"Same\"}").post("/workspaces");
        first.then().statusCode(201);

        Response again = user.given(key).body(" { \"name\" : \"S\\u0061me\" } ").post("/workspaces");

        assertSame(again, first);
    }

    /** And its fingerprint is the one that servers of earlier builds make of it. */
    @Test
    void theSamePathMayBeWrittenInAnotherWay() {
        String workspace = user.newWorkspace();
        String chats = "/workspaces/" + workspace + "/chats";
        String chat = user.post(chats, "{}").expect(201).get("chat_id").asText();
        String stop = chats + "/" + chat + "/stop";
        Response first = user.given(key).post(stop.replace(workspace, workspace.toUpperCase(Locale.ROOT)));
        first.then().statusCode(200);

        assertSame(user.given(key).post(stop), first);
        assertSame(user.given(key).post(stop.replace(chat, chat.toUpperCase(Locale.ROOT))), first);
        assertSame(user.given(key).post(stop.replace("-", "%2D")), first);
        assertSame(user.given(key).post(stop + "/"), first);
        assertThat(Postgres.query(
                        PostgresResource.database(),
                        "select fingerprint = sha256('POST /api/v1" + stop
                                + "'::bytea || '\\x00'::bytea || '\"\"'::bytea)"
                                + " as same from idempotency_keys where key = '" + key + "'"))
                .containsExactly(Map.of("same", true));
    }

    /** Holds the key as a request that is still running does, from outside. */
    @Test
    void whatIsStillInFlightIsAConflict() throws SQLException {
        try (Connection elsewhere = Postgres.connect(PostgresResource.database());
                PreparedStatement lock = elsewhere.prepareStatement(
                        "select pg_advisory_xact_lock(hashtextextended(? || ':' || ?, 0))")) {
            elsewhere.setAutoCommit(false);
            lock.setString(1, user.userId().toString());
            lock.setString(2, key);
            lock.execute();

            createWorkspace(key, "x").then().spec(problem(409, "CONFLICT")).body("in_flight", is(true));
            elsewhere.rollback();
        }

        createWorkspace(key, "x").then().statusCode(201);
    }

    @Test
    void anotherUsersKeyIsAnotherKey() {
        Api other = Api.newUser();
        Response mine = createWorkspace(key, "Mine");
        mine.then().statusCode(201);

        Response theirs = other.given(key).body(Map.of("name", "Theirs")).post("/workspaces");

        theirs.then()
                .statusCode(201)
                .body("workspace.id", not(mine.<String>path("workspace.id")))
                .body("workspace.created_by", is(other.userId().toString()));
    }

    @Test
    void aRefusalIsRepeatedThoughTheStateHasMovedOn() {
        String session = newSession();
        Response refused = user.given(key).post("/agent-sessions/{id}/yield", session);
        refused.then().spec(problem(409, "CONFLICT"));
        user.given().post("/agent-sessions/{id}/start", session).then().statusCode(200);

        Response again = user.given(key).post("/agent-sessions/{id}/yield", session);

        again.then().spec(problem(409, "CONFLICT")).body("$", is(refused.<Object>path("$")));
        session(session).body("session.status", is("running"));
    }

    @Test
    void aRefusedCreationIsRepeated() {
        String workspace = user.newWorkspace();
        JsonNode live = user.newSession(workspace);
        Map<String, String> body = Map.of(
                "agent_type", "planner",
                "model", "m",
                "chat_id", live.get("chat_id").asText());
        Response refused = createSession(key, workspace, body);
        refused.then().spec(problem(409, "CONFLICT"));
        user.given()
                .delete("/agent-sessions/{id}", live.get("id").asText())
                .then()
                .statusCode(200);

        createSession(key, workspace, body).then().statusCode(409).body("$", is(refused.<Object>path("$")));
        createSession(newKey(), workspace, body).then().statusCode(201);
    }

    private Response startStale(String session) {
        return user.given(key).header("If-Match", "\"v7\"").body("{}").post("/agent-sessions/{id}/start", session);
    }

    @Test
    void aStaleVersionIsRepeated() {
        String session = newSession();
        Response refused = startStale(session);
        refused.then().spec(problem(412, "STALE_VERSION"));

        Response again = startStale(session);

        again.then().spec(problem(412, "STALE_VERSION")).body("$", is(refused.<Object>path("$")));
        session(session).body("session.status", is("idle"));
    }

    @Test
    void whatWasNeverTriedDoesNotBurnTheKey() {
        createWorkspace(key, "").then().spec(problem(400, "VALIDATION_ERROR"));
        user.given(key).body("{\"nam").post("/workspaces").then().spec(problem(400, "VALIDATION_ERROR"));
        Api.withToken(user.service(), null, null)
                .given(key)
                .body(Map.of("name", "x"))
                .post("/workspaces")
                .then()
                .spec(problem(401, "INVALID_TOKEN"));

        createWorkspace(key, "Good").then().statusCode(201);
    }

    @Test
    void aQuotaThatMayBeFreeAgainDoesNotBurnTheKey() {
        String workspace = user.newWorkspace();
        limit(workspace, 0);
        createSession(key, workspace, PLANNER).then().spec(problem(429, "QUOTA_EXCEEDED"));
        limit(workspace, 1);

        createSession(key, workspace, PLANNER).then().statusCode(201);
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

        JsonNode problem = RawHttp.send(user.service(), head + body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.at("/fields/Idempotency-Key").asText()).isNotEmpty();
        assertThat(workspaces()).isZero();
    }

    @Test
    void aKeyHasALength() {
        createWorkspace("k".repeat(256), "x").then().spec(invalid("Idempotency-Key"));

        Response first = createWorkspace("k".repeat(255), "x");
        first.then().statusCode(201);
        assertSame(createWorkspace("k".repeat(255), "x"), first);
        assertThat(workspaces()).isEqualTo(1);
    }
}
