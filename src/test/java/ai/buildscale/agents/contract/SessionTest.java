package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.anEmptyMap;
import static org.hamcrest.Matchers.emptyIterable;
import static org.hamcrest.Matchers.emptyOrNullString;
import static org.hamcrest.Matchers.greaterThan;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.matchesPattern;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.nullValue;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.PostgresResource;
import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.path.json.JsonPath;
import io.restassured.response.ValidatableResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One session over HTTP: created, read, changed, and its history. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class SessionTest {
    private static final String UUID_V7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    private static final String[] FIELDS = {
        "id",
        "workspace_id",
        "chat_id",
        "user_id",
        "agent_type",
        "status",
        "model",
        "mode",
        "current_task",
        "error_message",
        "result",
        "created_at",
        "updated_at",
        "last_heartbeat",
        "completed_at",
        "chat_name",
        "is_terminal",
        "version",
        "epoch",
        "hosting",
        "server_id",
        "server_hostname",
        "last_progress_at",
        "blocked_on",
        "pause",
        "labels",
        "requires",
        "stalled_at",
        "usage",
        "budget"
    };

    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();

    private ValidatableResponse createIn(String house, Object session) {
        return owner.given()
                .body(session)
                .post("/workspaces/{id}/agent-sessions", house)
                .then();
    }

    private ValidatableResponse create(Object session) {
        return createIn(workspace, session);
    }

    private String newId() {
        return owner.newSession(workspace).get("id").asText();
    }

    private ValidatableResponse read(String id) {
        return owner.given().get("/agent-sessions/{id}", id).then();
    }

    private ValidatableResponse readUnless(String etag, String id) {
        return owner.given()
                .header("If-None-Match", etag)
                .get("/agent-sessions/{id}", id)
                .then();
    }

    private ValidatableResponse edit(Api caller, String id, Object changes) {
        return caller.given().body(changes).patch("/agent-sessions/{id}", id).then();
    }

    private ValidatableResponse edit(String id, Object changes) {
        return edit(owner, id, changes);
    }

    private ValidatableResponse editIf(String etag, String id, String model) {
        return owner.given()
                .header("If-Match", etag)
                .body(Map.of("model", model))
                .patch("/agent-sessions/{id}", id)
                .then();
    }

    private ValidatableResponse command(Api caller, String id, String command, Object body) {
        return caller.given()
                .body(body)
                .post("/agent-sessions/{id}/{command}", id, command)
                .then();
    }

    private ValidatableResponse command(String id, String command, Object body) {
        return command(owner, id, command, body);
    }

    private ValidatableResponse command(String id, String command) {
        return command(id, command, Map.of());
    }

    private ValidatableResponse cancel(Api caller, String id) {
        return caller.given().delete("/agent-sessions/{id}", id).then();
    }

    private ValidatableResponse cancel(String id) {
        return cancel(owner, id);
    }

    private ValidatableResponse events(Api caller, String id, String query) {
        return caller.given().get("/agent-sessions/" + id + "/events" + query).then();
    }

    private ValidatableResponse events(String id, String query) {
        return events(owner, id, query);
    }

    private List<String> kinds(String id) {
        return owner.changes(id).stream()
                .map(event -> event.get("event").asText())
                .toList();
    }

    private static Map<String, Object> without(Map<String, Object> session, String... fields) {
        Map<String, Object> others = new HashMap<>(session);
        others.keySet().removeAll(List.of(fields));
        return others;
    }

    private static Instant instant(Map<String, Object> session, String field) {
        String text = (String) session.get(field);
        assertThat(text).endsWith("Z");
        return Instant.parse(text);
    }

    @ParameterizedTest
    @CsvSource({"assistant,chat", "planner,plan", "builder,build"})
    void createsWithDefaults(String agentType, String mode) {
        ValidatableResponse reply = create(Map.of("agent_type", agentType, "model", "gpt-5-mini"));

        reply.statusCode(201)
                .rootPath("session")
                .body("id", matchesPattern(UUID_V7))
                .body("workspace_id", is(workspace))
                .body("chat_id", matchesPattern(UUID_V7))
                .body("user_id", is(owner.userId().toString()))
                .body("agent_type", is(agentType))
                .body("status", is("idle"))
                .body("model", is("gpt-5-mini"))
                .body("mode", is(mode))
                .body("is_terminal", is(false))
                .body("version", is(1))
                .body("epoch", is(1))
                .body("hosting", is("server"))
                .body("labels", anEmptyMap());
        for (String field : List.of(
                "current_task",
                "error_message",
                "result",
                "completed_at",
                "chat_name",
                "last_progress_at",
                "blocked_on",
                "pause")) {
            reply.body(field, nullValue());
        }
        Map<String, Object> session = reply.extract().path("session");
        assertThat(session).containsOnlyKeys(FIELDS);
        Instant created = instant(session, "created_at");
        assertThat(created).isBetween(Instant.now().minus(Duration.ofMinutes(1)), Instant.now());
        assertThat(instant(session, "updated_at")).isEqualTo(created);
        assertThat(instant(session, "last_heartbeat")).isAfterOrEqualTo(created.minusSeconds(1));
    }

    @Test
    void createdIsWhatIsReadAtItsLocation() {
        ValidatableResponse created = create(Map.of("agent_type", "planner", "model", "m", "task", "Think"));

        Map<String, Object> session =
                created.statusCode(201).header("ETag", "\"v1\"").extract().path("session");
        String location = created.extract().header("Location");
        assertThat(location).isEqualTo("/api/v1/agent-sessions/" + session.get("id"));
        Map<String, Object> read = owner.given()
                .get(owner.service().url(location))
                .then()
                .statusCode(200)
                .header("ETag", "\"v1\"")
                .extract()
                .path("session");
        assertThat(without(read, "last_heartbeat")).isEqualTo(without(session, "last_heartbeat"));
    }

    @Test
    void createsWithAllThatIsAsked() {
        String chat = UUID.randomUUID().toString();
        String task = "Build it \"now\" 🚀";
        Map<String, String> labels = Map.of("team", "research", "cost/centre", "ä:1");

        String id = create(Map.of(
                        "agent_type", "builder",
                        "model", "m",
                        "mode", "chat",
                        "chat_id", chat,
                        "task", task,
                        "hosting", "external",
                        "labels", labels))
                .statusCode(201)
                .body("session.mode", is("chat"))
                .body("session.chat_id", is(chat))
                .body("session.current_task", is(task))
                .body("session.hosting", is("external"))
                .body("session.labels", is(labels))
                .extract()
                .path("session.id");

        assertThat(kinds(id)).containsExactly("agent_status", "agent_task");
        List<JsonNode> events = owner.changes(id);
        assertThat(events.getFirst().at("/data/status").asText()).isEqualTo("idle");
        assertThat(events.getFirst().at("/data/previous_status").isNull()).isTrue();
        assertThat(events.getLast().at("/data/task").asText()).isEqualTo(task);
    }

    @Test
    void aServerOfTheFleetHostsWhatIsNotHostedOutside() {
        Map<String, String> builder = Map.of("agent_type", "builder", "model", "m");
        Map<String, String> hosted = create(builder).statusCode(201).extract().path("session");

        assertThat(Postgres.query(
                        PostgresResource.database(),
                        "select hostname from servers where id = '" + hosted.get("server_id") + "'"))
                .containsExactly(Map.of("hostname", hosted.get("server_hostname")));
        create(Map.of("agent_type", "builder", "model", "m", "hosting", "external"))
                .statusCode(201)
                .body("session.server_id", nullValue())
                .body("session.server_hostname", nullValue());
    }

    @Test
    void aChatHasOneLiveSession() {
        Map<String, Object> body = Map.of("agent_type", "assistant", "model", "m", "chat_id", UUID.randomUUID());
        String first = create(body).statusCode(201).extract().path("session.id");

        create(body).spec(problem(409, "CONFLICT")).body("fields.chat_id", not(emptyOrNullString()));

        cancel(first).statusCode(200);
        create(body).statusCode(201).body("session.id", not(first));
        create(body).spec(problem(409, "CONFLICT"));
    }

    @Test
    void twoWorkspacesMayUseTheSameChatId() {
        Map<String, Object> body = Map.of("agent_type", "assistant", "model", "m", "chat_id", UUID.randomUUID());
        create(body).statusCode(201);

        createIn(owner.newWorkspace(), body).statusCode(201);
    }

    @Test
    void aRefusedCreationLeavesTheCountersAlone() {
        Map<String, Object> body = Map.of("agent_type", "assistant", "model", "m", "chat_id", UUID.randomUUID());
        create(body).statusCode(201);

        create(body).statusCode(409);

        owner.given().get("/workspaces/{id}", workspace).then().statusCode(200).body("workspace.live_sessions", is(1));
    }

    @Test
    void theQuotaOfLiveSessionsHolds() {
        Map<String, String> body = Map.of("agent_type", "assistant", "model", "m");
        owner.given()
                .body(Map.of("max_live_sessions", 1))
                .patch("/workspaces/{id}", workspace)
                .then()
                .statusCode(200);
        String only = newId();

        String retryAfter = create(body)
                .spec(problem(429, "QUOTA_EXCEEDED"))
                .body("max_live_sessions", is(1))
                .extract()
                .header("Retry-After");
        assertThat(Integer.parseInt(retryAfter)).isPositive();

        cancel(only).statusCode(200);
        create(body).statusCode(201);
    }

    @Test
    void readsAgainOnlyWhatHasChanged() {
        String id = newId();
        String etag = read(id).extract().header("ETag");

        readUnless(etag, id).statusCode(304).header("ETag", etag).body(is(""));
        readUnless("\"v7\", W/" + etag, id).statusCode(304);
        readUnless("\"v7\"", id).statusCode(200);

        command(id, "start").statusCode(200);
        readUnless(etag, id).statusCode(200);
    }

    static Stream<Arguments> changes() {
        return Stream.of(
                Arguments.of("current_task", "Write the report"),
                Arguments.of("model", "gpt-6"),
                Arguments.of("mode", "build"),
                Arguments.of("agent_type", "planner"),
                Arguments.of("labels", Map.of("team", "search")),
                Arguments.of("blocked_on", "an approval"));
    }

    @ParameterizedTest
    @MethodSource("changes")
    void changesOneFieldAndNoOther(String field, Object value) {
        Map<String, Object> before = create(Map.of(
                        "agent_type", "assistant", "model", "m", "task", "first", "labels", Map.of("old", "label")))
                .statusCode(201)
                .extract()
                .path("session");
        String id = (String) before.get("id");

        Map<String, Object> after = edit(id, Map.of(field, value))
                .statusCode(200)
                .header("ETag", "\"v2\"")
                .body("session.version", is(2))
                .body("session." + field, is(value))
                .extract()
                .path("session");

        assertThat(instant(after, "updated_at")).isAfter(instant(before, "updated_at"));
        String[] moving = {field, "version", "updated_at", "last_heartbeat"};
        assertThat(without(after, moving)).isEqualTo(without(before, moving));
        read(id).statusCode(200).body("session." + field, is(value));
    }

    @Test
    void nullClearsTaskAndObstacle() {
        String id = create(Map.of("agent_type", "assistant", "model", "m", "task", "first"))
                .statusCode(201)
                .extract()
                .path("session.id");
        edit(id, Map.of("blocked_on", "an approval")).statusCode(200);

        edit(id, "{\"current_task\":null,\"blocked_on\":null}")
                .statusCode(200)
                .body("session.current_task", nullValue())
                .body("session.blocked_on", nullValue());

        JsonNode told = owner.changes(id).getLast();
        assertThat(told.get("event").asText()).isEqualTo("agent_task");
        assertThat(told.at("/data/task").isNull()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "mode", "agent_type", "labels"})
    void nullClearsNothingElse(String field) {
        String id = newId();

        edit(id, "{\"" + field + "\":null}").spec(invalid(field));

        read(id).statusCode(200).body("session.version", is(1));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"status\":\"running\"}",
                "{\"epoch\":2}",
                "{\"version\":2}",
                "{\"user_id\":\"00000000-0000-0000-0000-000000000000\"}",
                "{\"server_id\":\"00000000-0000-0000-0000-000000000000\"}",
                "{\"mode\":\"dance\"}",
                "{\"model\":\" \"}",
                "{\"labels\":{\"a b\":\"c\"}}"
            })
    void changesNothingThatIsNotTheCallers(String body) {
        String id = newId();

        edit(id, body).spec(problem(400, "VALIDATION_ERROR")).body("fields.size()", greaterThan(0));

        read(id).statusCode(200).body("session.version", is(1));
    }

    @Test
    void changesOnlyTheVersionThatIsExpected() {
        String id = newId();
        editIf("\"v1\"", id, "a").statusCode(200);

        editIf("\"v1\"", id, "b").spec(problem(412, "STALE_VERSION")).body("version", is(2));
        editIf("W/\"v1\"", id, "b").spec(problem(412, "STALE_VERSION"));
        editIf("\"other\"", id, "b").spec(problem(412, "STALE_VERSION"));
        read(id).statusCode(200).body("session.model", is("a"));

        editIf("*", id, "c").statusCode(200);
        read(id).statusCode(200).body("session.model", is("c"));
    }

    private ValidatableResponse startIf(String etag, String id) {
        return owner.given()
                .header("If-Match", etag)
                .body(Map.of())
                .post("/agent-sessions/{id}/start", id)
                .then();
    }

    @Test
    void commandsOnlyTheVersionThatIsExpected() {
        String id = newId();
        edit(id, Map.of("model", "a")).statusCode(200);

        startIf("\"v1\"", id).spec(problem(412, "STALE_VERSION"));
        read(id).statusCode(200).body("session.status", is("idle"));
        startIf("\"v2\"", id).statusCode(200);
        owner.given()
                .header("If-Match", "\"v2\"")
                .delete("/agent-sessions/{id}", id)
                .then()
                .spec(problem(412, "STALE_VERSION"));
        read(id).statusCode(200).body("session.status", is("running"));
    }

    @ParameterizedTest
    @CsvSource({"complete,completed", "fail,error", "cancel,cancelled"})
    void whatHasEndedDoesNotChange(String end, String status) {
        String id = newId();
        command(id, "start").statusCode(200);
        switch (end) {
            case "cancel" -> cancel(id).statusCode(200);
            case "fail" ->
                command(id, "fail", Map.of("error_message", "it broke")).statusCode(200);
            default -> command(id, end).statusCode(200);
        }
        List<JsonNode> events = owner.changes(id);

        edit(id, Map.of("current_task", "more"))
                .spec(problem(409, "CONFLICT"))
                .body("current_status", is(status))
                .body("allowed_transitions", emptyIterable());

        read(id).statusCode(200).body("session.version", is(3));
        assertThat(owner.changes(id)).isEqualTo(events);
        editIf("\"v1\"", id, "n").spec(problem(412, "STALE_VERSION"));
    }

    @Test
    void aChangeTellsWhatChanged() {
        String id = newId();

        edit(id, Map.of("current_task", "a")).statusCode(200);
        assertThat(kinds(id)).containsExactly("agent_status", "agent_task");

        edit(id, Map.of("current_task", "a")).statusCode(200);
        assertThat(kinds(id)).as("the task is what it was").hasSize(2);

        edit(id, Map.of("model", "n", "blocked_on", "x")).statusCode(200);
        assertThat(kinds(id)).containsExactly("agent_status", "agent_task", "agent_updated");
        JsonNode told = owner.changes(id).getLast().get("data");
        assertThat(told.get("model").asText()).isEqualTo("n");
        assertThat(told.get("blocked_on").asText()).isEqualTo("x");

        edit(id, Map.of("current_task", "b", "labels", Map.of("k", "v"))).statusCode(200);
        assertThat(kinds(id))
                .containsExactly("agent_status", "agent_task", "agent_updated", "agent_updated", "agent_task");
    }

    @Test
    void theVersionCountsChanges() {
        String id = newId();
        command(id, "start", Map.of("task", "a")).statusCode(200);
        command(id, "pause").statusCode(200);
        command(id, "pause").statusCode(200);
        command(id, "start").statusCode(200);
        command(id, "start").statusCode(409);
        edit(id, Map.of("model", "n")).statusCode(200);
        command(id, "complete", Map.of("result", Map.of("answer", 42))).statusCode(200);

        read(id).statusCode(200).body("session.version", is(6)).body("session.result.answer", is(42));
        assertThat(owner.changes(id))
                .extracting(event -> event.at("/data/version").asInt())
                .containsExactly(1, 2, 2, 3, 4, 5, 6);
    }

    @Test
    void aPauseTellsByWhomAndWhy() {
        String id = newId();
        Api admin = Api.newUser("admin");

        Map<String, Object> pause = command(
                        admin, id, "pause", Map.of("reason", "Waiting for review", "expires_in", 3600))
                .statusCode(200)
                .body("session.pause.id", matchesPattern(UUID_V7))
                .body("session.pause.reason", is("Waiting for review"))
                .body("session.pause.by", is(admin.userId().toString()))
                .extract()
                .path("session.pause");

        assertThat(Duration.between(instant(pause, "at"), instant(pause, "expires_at")))
                .isCloseTo(Duration.ofHours(1), Duration.ofMillis(1));
        assertThat(owner.changes(id).getLast().at("/data/reason").asText()).isEqualTo("Waiting for review");
    }

    @Test
    void aPauseThatWasCancelledWasNotResumed() {
        String id = newId();
        String pause = command(id, "pause").statusCode(200).extract().path("session.pause.id");
        cancel(id).statusCode(200);

        command(id, "resume", Map.of("pause_id", pause))
                .spec(problem(409, "CONFLICT"))
                .body("current_status", is("cancelled"));
    }

    @Test
    void historyComesInPages() {
        String id = newId();
        for (int i = 0; i < 6; i++) {
            edit(id, Map.of("current_task", "task " + i)).statusCode(200);
        }
        List<Map<String, Object>> whole =
                events(id, "?limit=1000").statusCode(200).extract().path("events");
        assertThat(whole).hasSize(7);
        assertThat(whole)
                .extracting(event -> ((Number) event.get("position")).longValue())
                .isSorted()
                .doesNotHaveDuplicates();

        List<Map<String, Object>> walked = new ArrayList<>();
        long after = 0;
        for (int size = 3; size == 3; ) {
            JsonPath page = events(id, "?limit=3&after=" + after)
                    .statusCode(200)
                    .extract()
                    .jsonPath();
            walked.addAll(page.getList("events"));
            size = page.getInt("events.size()");
            after = page.getLong("next_after");
        }

        assertThat(walked).isEqualTo(whole);
        JsonPath end = events(id, "?after=" + after).statusCode(200).extract().jsonPath();
        assertThat(end.getList("events")).isEmpty();
        assertThat(end.getLong("next_after")).isEqualTo(after);
    }

    @ParameterizedTest
    @CsvSource({"limit=0,limit", "limit=1001,limit", "limit=ten,limit", "after=-1,after", "after=x,after"})
    void historyRefusesBadPages(String query, String field) {
        events(newId(), "?" + query).spec(invalid(field));
    }

    @Test
    void onlyTheOwnerAndAdminsTouchASession() {
        String id = newId();
        Api colleague = owner.newMember(workspace, "admin");
        Api admin = Api.newUser("admin");

        colleague.given().get("/agent-sessions/{id}", id).then().spec(problem(403, "FORBIDDEN"));
        events(colleague, id, "").spec(problem(403, "FORBIDDEN"));
        edit(colleague, id, Map.of("model", "n")).spec(problem(403, "FORBIDDEN"));
        command(colleague, id, "start", Map.of()).spec(problem(403, "FORBIDDEN"));
        cancel(colleague, id).spec(problem(403, "FORBIDDEN"));
        read(id).statusCode(200).body("session.version", is(1));

        edit(admin, id, Map.of("model", "n")).statusCode(200);
        command(admin, id, "start", Map.of()).statusCode(200);
        assertThat(admin.statuses(id)).containsExactly("idle", "running");
        admin.given().delete("/agent-sessions/{id}?reason=cleanup", id).then().statusCode(200);
        assertThat(owner.changes(id).getLast().at("/data/reason").asText()).isEqualTo("cleanup");
    }

    @Test
    void whatDoesNotExistIsNotFound() {
        String nobody = UUID.randomUUID().toString();

        read(nobody).spec(problem(404, "NOT_FOUND"));
        events(nobody, "").spec(problem(404, "NOT_FOUND"));
        edit(nobody, Map.of("model", "n")).spec(problem(404, "NOT_FOUND"));
        command(nobody, "start").spec(problem(404, "NOT_FOUND"));
        cancel(nobody).spec(problem(404, "NOT_FOUND"));
        owner.given().get("/workspaces/{id}/agent-sessions", nobody).then().spec(problem(404, "NOT_FOUND"));
        createIn(nobody, Map.of("agent_type", "planner", "model", "m")).spec(problem(404, "NOT_FOUND"));
    }
}
