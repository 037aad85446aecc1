package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
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
class SessionIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();
    private static final String SESSIONS = "/workspaces/" + WORKSPACE + "/agent-sessions";
    private static final String UUID_V7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    private static final List<String> FIELDS = List.of(
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
            "budget");

    private static String newId() {
        return OWNER.newSession(WORKSPACE).get("id").asText();
    }

    private static String path(String id) {
        return "/agent-sessions/" + id;
    }

    private static List<JsonNode> history(String id) {
        return OWNER.get(path(id) + "/events?limit=1000")
                .expect(200)
                .get("events")
                .valueStream()
                .filter(event -> !event.get("event").asText().equals("agent_command"))
                .toList();
    }

    private static List<String> kinds(String id) {
        return history(id).stream().map(event -> event.get("event").asText()).toList();
    }

    private static Instant instant(JsonNode session, String field) {
        String text = session.get(field).asText();
        assertThat(text).endsWith("Z");
        return Instant.parse(text);
    }

    @ParameterizedTest
    @CsvSource({"assistant,chat", "planner,plan", "builder,build"})
    void createsWithDefaults(String agentType, String mode) {
        Api.Reply reply = OWNER.post(SESSIONS, "{\"agent_type\":\"" + agentType + "\",\"model\":\"gpt-5-mini\"}");

        JsonNode session = reply.expect(201).get("session");
        assertThat(session.properties().stream().map(Map.Entry::getKey)).containsExactlyInAnyOrderElementsOf(FIELDS);
        assertThat(session.get("id").asText()).matches(UUID_V7);
        assertThat(session.get("workspace_id").asText()).isEqualTo(WORKSPACE);
        assertThat(session.get("chat_id").asText()).matches(UUID_V7);
        assertThat(session.get("user_id").asText()).isEqualTo(OWNER.userId().toString());
        assertThat(session.get("agent_type").asText()).isEqualTo(agentType);
        assertThat(session.get("status").asText()).isEqualTo("idle");
        assertThat(session.get("model").asText()).isEqualTo("gpt-5-mini");
        assertThat(session.get("mode").asText()).isEqualTo(mode);
        assertThat(session.get("is_terminal"))
                .isEqualTo(Api.JSON.getNodeFactory().booleanNode(false));
        assertThat(session.get("version").asInt()).isEqualTo(1);
        assertThat(session.get("epoch").asInt()).isEqualTo(1);
        assertThat(session.get("hosting").asText()).isEqualTo("server");
        assertThat(session.get("labels")).isEqualTo(Api.JSON.createObjectNode());
        assertThat(List.of(
                        "current_task",
                        "error_message",
                        "result",
                        "completed_at",
                        "chat_name",
                        "last_progress_at",
                        "blocked_on",
                        "pause"))
                .allSatisfy(field ->
                        assertThat(session.get(field).isNull()).as(field).isTrue());
        Instant created = instant(session, "created_at");
        assertThat(created).isBetween(Instant.now().minus(Duration.ofMinutes(1)), Instant.now());
        assertThat(instant(session, "updated_at")).isEqualTo(created);
        assertThat(instant(session, "last_heartbeat")).isAfterOrEqualTo(created.minusSeconds(1));
    }

    @Test
    void createdIsWhatIsReadAtItsLocation() {
        Api.Reply created = OWNER.post(SESSIONS, "{\"agent_type\":\"planner\",\"model\":\"m\",\"task\":\"Think\"}");

        JsonNode session = created.expect(201).get("session");
        assertThat(created.header("location"))
                .isEqualTo("/api/v1/agent-sessions/" + session.get("id").asText());
        assertThat(created.header("etag")).isEqualTo("\"v1\"");
        Api.Reply read = OWNER.get(created.header("location"));
        assertThat(read.header("etag")).isEqualTo("\"v1\"");
        Map<String, JsonNode> now = fields(read.expect(200).get("session"));
        Map<String, JsonNode> then = fields(session);
        now.remove("last_heartbeat");
        then.remove("last_heartbeat");
        assertThat(now).isEqualTo(then);
    }

    private static Map<String, JsonNode> fields(JsonNode session) {
        Map<String, JsonNode> fields = new java.util.LinkedHashMap<>();
        session.properties().forEach(field -> fields.put(field.getKey(), field.getValue()));
        return fields;
    }

    @Test
    void createsWithAllThatIsAsked() {
        String chat = UUID.randomUUID().toString();

        JsonNode session = OWNER.newSession(WORKSPACE, """
                {"agent_type":"builder","model":"m","mode":"chat","chat_id":"%s","task":"Build it \\"now\\" 🚀",
                 "hosting":"external","labels":{"team":"research","cost/centre":"ä:1"}}""".formatted(chat));

        assertThat(session.get("mode").asText()).isEqualTo("chat");
        assertThat(session.get("chat_id").asText()).isEqualTo(chat);
        assertThat(session.get("current_task").asText()).isEqualTo("Build it \"now\" 🚀");
        assertThat(session.get("hosting").asText()).isEqualTo("external");
        assertThat(session.at("/labels/team").asText()).isEqualTo("research");
        assertThat(session.get("labels").get("cost/centre").asText()).isEqualTo("ä:1");
        List<JsonNode> events = history(session.get("id").asText());
        assertThat(events)
                .extracting(event -> event.get("event").asText())
                .containsExactly("agent_status", "agent_task");
        assertThat(events.getFirst().at("/data/status").asText()).isEqualTo("idle");
        assertThat(events.getFirst().at("/data/previous_status").isNull()).isTrue();
        assertThat(events.getLast().at("/data/task").asText()).isEqualTo("Build it \"now\" 🚀");
    }

    @Test
    void aServerOfTheFleetHostsWhatIsNotHostedOutside() {
        JsonNode hosted = OWNER.newSession(WORKSPACE);
        JsonNode external = OWNER.newExternalSession(WORKSPACE);

        assertThat(Postgres.query(
                        Service.shared().databaseUrl(),
                        "select hostname from servers where id = '"
                                + hosted.get("server_id").asText() + "'"))
                .containsExactly(
                        Map.of("hostname", hosted.get("server_hostname").asText()));
        assertThat(external.get("server_id").isNull()).isTrue();
        assertThat(external.get("server_hostname").isNull()).isTrue();
    }

    @Test
    void aChatHasOneLiveSession() {
        String body = "{\"agent_type\":\"assistant\",\"model\":\"m\",\"chat_id\":\"" + UUID.randomUUID() + "\"}";
        String first = OWNER.newSession(WORKSPACE, body).get("id").asText();

        JsonNode problem = OWNER.post(SESSIONS, body).expectProblem(409, "CONFLICT");
        assertThat(problem.at("/fields/chat_id").asText()).isNotEmpty();

        OWNER.delete(path(first)).expect(200);
        String second = OWNER.newSession(WORKSPACE, body).get("id").asText();
        assertThat(second).isNotEqualTo(first);
        OWNER.post(SESSIONS, body).expectProblem(409, "CONFLICT");
    }

    @Test
    void twoWorkspacesMayUseTheSameChatId() {
        String body = "{\"agent_type\":\"assistant\",\"model\":\"m\",\"chat_id\":\"" + UUID.randomUUID() + "\"}";
        OWNER.newSession(WORKSPACE, body);

        OWNER.newSession(OWNER.newWorkspace(), body);
    }

    @Test
    void aRefusedCreationLeavesTheCountersAlone() {
        String workspace = OWNER.newWorkspace();
        String body = "{\"agent_type\":\"assistant\",\"model\":\"m\",\"chat_id\":\"" + UUID.randomUUID() + "\"}";
        OWNER.newSession(workspace, body);
        OWNER.post("/workspaces/" + workspace + "/agent-sessions", body).expect(409);

        assertThat(OWNER.get("/workspaces/" + workspace)
                        .expect(200)
                        .at("/workspace/live_sessions")
                        .asInt())
                .isEqualTo(1);
    }

    @Test
    void theQuotaOfLiveSessionsHolds() {
        String workspace = OWNER.newWorkspace();
        OWNER.patch("/workspaces/" + workspace, "{\"max_live_sessions\":1}").expect(200);
        String only = OWNER.newSession(workspace).get("id").asText();

        Api.Reply refused = OWNER.post(
                "/workspaces/" + workspace + "/agent-sessions", "{\"agent_type\":\"assistant\",\"model\":\"m\"}");
        JsonNode problem = refused.expectProblem(429, "QUOTA_EXCEEDED");
        assertThat(problem.get("max_live_sessions").asInt()).isEqualTo(1);
        assertThat(Integer.parseInt(refused.header("retry-after"))).isPositive();

        OWNER.delete(path(only)).expect(200);
        OWNER.newSession(workspace);
    }

    @Test
    void readsAgainOnlyWhatHasChanged() {
        String id = newId();
        String etag = OWNER.get(path(id)).header("etag");

        Api.Reply same = OWNER.get(path(id), "If-None-Match", etag);
        assertThat(same.status()).isEqualTo(304);
        assertThat(same.header("etag")).isEqualTo(etag);
        assertThat(same.text()).isEmpty();
        assertThat(OWNER.get(path(id), "If-None-Match", "\"v7\", W/" + etag).status())
                .isEqualTo(304);
        OWNER.get(path(id), "If-None-Match", "\"v7\"").expect(200);

        OWNER.command(id, "start", "{}").expect(200);
        OWNER.get(path(id), "If-None-Match", etag).expect(200);
    }

    static Stream<Arguments> changes() {
        return Stream.of(
                Arguments.of("current_task", "\"Write the report\""),
                Arguments.of("model", "\"gpt-6\""),
                Arguments.of("mode", "\"build\""),
                Arguments.of("agent_type", "\"planner\""),
                Arguments.of("labels", "{\"team\":\"search\"}"),
                Arguments.of("blocked_on", "\"an approval\""));
    }

    @ParameterizedTest
    @MethodSource("changes")
    void changesOneFieldAndNoOther(String field, String value) throws Exception {
        JsonNode before = OWNER.newSession(WORKSPACE, """
                {"agent_type":"assistant","model":"m","task":"first","labels":{"old":"label"}}""");
        String id = before.get("id").asText();

        Api.Reply reply = OWNER.patch(path(id), "{\"" + field + "\":" + value + "}");

        JsonNode after = reply.expect(200).get("session");
        assertThat(reply.header("etag")).isEqualTo("\"v2\"");
        assertThat(after.get("version").asInt()).isEqualTo(2);
        assertThat(after.get(field)).isEqualTo(Api.JSON.readTree(value));
        assertThat(instant(after, "updated_at")).isAfter(instant(before, "updated_at"));
        Map<String, JsonNode> others = fields(before);
        Map<String, JsonNode> othersAfter = fields(after);
        for (String moving : List.of(field, "version", "updated_at", "last_heartbeat")) {
            others.remove(moving);
            othersAfter.remove(moving);
        }
        assertThat(othersAfter).isEqualTo(others);
        assertThat(fields(OWNER.session(id)).get(field)).isEqualTo(after.get(field));
    }

    @Test
    void nullClearsTaskAndObstacle() {
        String id = OWNER.newSession(WORKSPACE, "{\"agent_type\":\"assistant\",\"model\":\"m\",\"task\":\"first\"}")
                .get("id")
                .asText();
        OWNER.patch(path(id), "{\"blocked_on\":\"an approval\"}").expect(200);

        JsonNode cleared = OWNER.patch(path(id), "{\"current_task\":null,\"blocked_on\":null}")
                .expect(200)
                .get("session");

        assertThat(cleared.get("current_task").isNull()).isTrue();
        assertThat(cleared.get("blocked_on").isNull()).isTrue();
        JsonNode told = history(id).getLast();
        assertThat(told.get("event").asText()).isEqualTo("agent_task");
        assertThat(told.at("/data/task").isNull()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "mode", "agent_type", "labels"})
    void nullClearsNothingElse(String field) {
        String id = newId();

        JsonNode problem = OWNER.patch(path(id), "{\"" + field + "\":null}").expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields").has(field)).isTrue();
        assertThat(OWNER.session(id).get("version").asInt()).isEqualTo(1);
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

        JsonNode problem = OWNER.patch(path(id), body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields")).isNotEmpty();
        assertThat(OWNER.session(id).get("version").asInt()).isEqualTo(1);
    }

    @Test
    void changesOnlyTheVersionThatIsExpected() {
        String id = newId();
        OWNER.patch(path(id), "{\"model\":\"a\"}", "If-Match", "\"v1\"").expect(200);

        JsonNode problem =
                OWNER.patch(path(id), "{\"model\":\"b\"}", "If-Match", "\"v1\"").expectProblem(412, "STALE_VERSION");
        assertThat(problem.get("version").asInt()).isEqualTo(2);
        OWNER.patch(path(id), "{\"model\":\"b\"}", "If-Match", "W/\"v1\"").expectProblem(412, "STALE_VERSION");
        OWNER.patch(path(id), "{\"model\":\"b\"}", "If-Match", "\"other\"").expectProblem(412, "STALE_VERSION");
        assertThat(OWNER.session(id).get("model").asText()).isEqualTo("a");

        OWNER.patch(path(id), "{\"model\":\"c\"}", "If-Match", "*").expect(200);
        assertThat(OWNER.session(id).get("model").asText()).isEqualTo("c");
    }

    @Test
    void commandsOnlyTheVersionThatIsExpected() {
        String id = newId();
        OWNER.patch(path(id), "{\"model\":\"a\"}").expect(200);

        OWNER.post(path(id) + "/start", "{}", "If-Match", "\"v1\"").expectProblem(412, "STALE_VERSION");
        assertThat(OWNER.session(id).get("status").asText()).isEqualTo("idle");
        OWNER.post(path(id) + "/start", "{}", "If-Match", "\"v2\"").expect(200);
        OWNER.delete(path(id), "If-Match", "\"v2\"").expectProblem(412, "STALE_VERSION");
        assertThat(OWNER.session(id).get("status").asText()).isEqualTo("running");
    }

    @ParameterizedTest
    @CsvSource({"complete,completed", "fail,error", "cancel,cancelled"})
    void whatHasEndedDoesNotChange(String end, String status) {
        String id = newId();
        OWNER.command(id, "start", "{}").expect(200);
        switch (end) {
            case "cancel" -> OWNER.delete(path(id)).expect(200);
            case "fail" ->
                OWNER.command(id, "fail", "{\"error_message\":\"it broke\"}").expect(200);
            default -> OWNER.command(id, end, "{}").expect(200);
        }
        int events = history(id).size();

        JsonNode problem = OWNER.patch(path(id), "{\"current_task\":\"more\"}").expectProblem(409, "CONFLICT");

        assertThat(problem.get("current_status").asText()).isEqualTo(status);
        assertThat(problem.get("allowed_transitions")).isEmpty();
        assertThat(OWNER.session(id).get("version").asInt()).isEqualTo(3);
        assertThat(history(id)).hasSize(events);
        OWNER.patch(path(id), "{\"current_task\":\"more\"}", "If-Match", "\"v1\"")
                .expectProblem(412, "STALE_VERSION");
    }

    @Test
    void aChangeTellsWhatChanged() {
        String id = newId();

        OWNER.patch(path(id), "{\"current_task\":\"a\"}").expect(200);
        assertThat(kinds(id)).containsExactly("agent_status", "agent_task");

        OWNER.patch(path(id), "{\"current_task\":\"a\"}").expect(200);
        assertThat(kinds(id)).as("the task is what it was").hasSize(2);

        OWNER.patch(path(id), "{\"model\":\"n\",\"blocked_on\":\"x\"}").expect(200);
        assertThat(kinds(id)).containsExactly("agent_status", "agent_task", "agent_updated");
        JsonNode told = history(id).getLast().get("data");
        assertThat(told.get("model").asText()).isEqualTo("n");
        assertThat(told.get("blocked_on").asText()).isEqualTo("x");

        OWNER.patch(path(id), "{\"current_task\":\"b\",\"labels\":{\"k\":\"v\"}}")
                .expect(200);
        assertThat(kinds(id))
                .containsExactly("agent_status", "agent_task", "agent_updated", "agent_updated", "agent_task");
    }

    @Test
    void theVersionCountsChanges() {
        String id = newId();
        OWNER.command(id, "start", "{\"task\":\"a\"}").expect(200);
        OWNER.command(id, "pause", "{}").expect(200);
        OWNER.command(id, "pause", "{}").expect(200);
        OWNER.command(id, "start", "{}").expect(200);
        OWNER.command(id, "start", "{}").expect(409);
        OWNER.patch(path(id), "{\"model\":\"n\"}").expect(200);
        OWNER.command(id, "complete", "{\"result\":{\"answer\":42}}").expect(200);

        JsonNode session = OWNER.session(id);
        assertThat(session.get("version").asInt()).isEqualTo(6);
        assertThat(session.at("/result/answer").asInt()).isEqualTo(42);
        assertThat(history(id).stream().map(event -> event.at("/data/version").asInt()))
                .containsExactly(1, 2, 2, 3, 4, 5, 6);
    }

    @Test
    void aPauseTellsByWhomAndWhy() {
        String id = newId();
        Api admin = Api.user(Service.shared(), "admin");

        JsonNode pause = admin.command(id, "pause", "{\"reason\":\"Waiting for review\",\"expires_in\":3600}")
                .expect(200)
                .at("/session/pause");

        assertThat(pause.get("id").asText()).matches(UUID_V7);
        assertThat(pause.get("reason").asText()).isEqualTo("Waiting for review");
        assertThat(pause.get("by").asText()).isEqualTo(admin.userId().toString());
        assertThat(Duration.between(instant(pause, "at"), instant(pause, "expires_at")))
                .isCloseTo(Duration.ofHours(1), Duration.ofMillis(1));
        assertThat(history(id).getLast().at("/data/reason").asText()).isEqualTo("Waiting for review");
    }

    @Test
    void aPauseThatWasCancelledWasNotResumed() {
        String id = newId();
        String pause = OWNER.command(id, "pause", "{}")
                .expect(200)
                .at("/session/pause/id")
                .asText();
        OWNER.delete(path(id)).expect(200);

        JsonNode problem =
                OWNER.command(id, "resume", "{\"pause_id\":\"" + pause + "\"}").expectProblem(409, "CONFLICT");

        assertThat(problem.get("current_status").asText()).isEqualTo("cancelled");
    }

    @Test
    void historyComesInPages() {
        String id = newId();
        for (int i = 0; i < 6; i++) {
            OWNER.patch(path(id), "{\"current_task\":\"task " + i + "\"}").expect(200);
        }
        List<JsonNode> whole = history(id);
        assertThat(whole).hasSize(7);
        assertThat(whole)
                .extracting(event -> event.get("position").asLong())
                .isSorted()
                .doesNotHaveDuplicates();

        List<JsonNode> walked = new java.util.ArrayList<>();
        long after = 0;
        for (int size = 3; size == 3; ) {
            JsonNode page =
                    OWNER.get(path(id) + "/events?limit=3&after=" + after).expect(200);
            page.get("events").forEach(walked::add);
            size = page.get("events").size();
            after = page.get("next_after").asLong();
        }

        assertThat(walked).isEqualTo(whole);
        JsonNode end = OWNER.get(path(id) + "/events?after=" + after).expect(200);
        assertThat(end.get("events")).isEmpty();
        assertThat(end.get("next_after").asLong()).isEqualTo(after);
    }

    @ParameterizedTest
    @CsvSource({"limit=0,limit", "limit=1001,limit", "limit=ten,limit", "after=-1,after", "after=x,after"})
    void historyRefusesBadPages(String query, String field) {
        JsonNode problem = OWNER.get(path(newId()) + "/events?" + query).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields").has(field)).isTrue();
    }

    @Test
    void onlyTheOwnerAndAdminsTouchASession() {
        String id = newId();
        Api colleague = Api.user(Service.shared());
        OWNER.addMember(WORKSPACE, colleague, "admin");
        Api admin = Api.user(Service.shared(), "admin");

        colleague.get(path(id)).expectProblem(403, "FORBIDDEN");
        colleague.get(path(id) + "/events").expectProblem(403, "FORBIDDEN");
        colleague.patch(path(id), "{\"model\":\"n\"}").expectProblem(403, "FORBIDDEN");
        colleague.command(id, "start", "{}").expectProblem(403, "FORBIDDEN");
        colleague.delete(path(id)).expectProblem(403, "FORBIDDEN");
        assertThat(OWNER.session(id).get("version").asInt()).isEqualTo(1);

        admin.patch(path(id), "{\"model\":\"n\"}").expect(200);
        admin.command(id, "start", "{}").expect(200);
        assertThat(admin.statuses(id)).containsExactly("idle", "running");
        admin.delete(path(id) + "?reason=cleanup").expect(200);
        assertThat(history(id).getLast().at("/data/reason").asText()).isEqualTo("cleanup");
    }

    @Test
    void whatDoesNotExistIsNotFound() {
        String nobody = UUID.randomUUID().toString();

        OWNER.get(path(nobody)).expectProblem(404, "NOT_FOUND");
        OWNER.get(path(nobody) + "/events").expectProblem(404, "NOT_FOUND");
        OWNER.patch(path(nobody), "{\"model\":\"n\"}").expectProblem(404, "NOT_FOUND");
        OWNER.command(nobody, "start", "{}").expectProblem(404, "NOT_FOUND");
        OWNER.delete(path(nobody)).expectProblem(404, "NOT_FOUND");
        OWNER.get("/workspaces/" + nobody + "/agent-sessions").expectProblem(404, "NOT_FOUND");
        OWNER.post("/workspaces/" + nobody + "/agent-sessions", "{\"agent_type\":\"planner\",\"model\":\"m\"}")
                .expectProblem(404, "NOT_FOUND");
    }
}
