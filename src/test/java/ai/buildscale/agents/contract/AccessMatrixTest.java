package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.Service;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import io.restassured.specification.RequestSpecification;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation of the OpenAPI document, called by everybody: who is let through (anything but 401 and 403) is written
 * down here, and an operation that is not written down fails.
 */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class AccessMatrixTest {
    private static final String STRANGER = "stranger";
    private static final String OWNER = "workspace owner";
    private static final String ADMIN = "workspace admin";
    private static final String MEMBER = "member";
    private static final String VIEWER = "viewer";
    private static final String SESSION_OWNER = "session owner";
    private static final String PLATFORM_ADMIN = "platform admin";

    /** The id of nothing. */
    private static final String NOBODY = "00000000-0000-7000-8000-000000000000";

    private static final List<String> EVERYBODY =
            List.of(STRANGER, OWNER, ADMIN, MEMBER, VIEWER, SESSION_OWNER, PLATFORM_ADMIN);
    private static final List<String> MEMBERS = List.of(OWNER, ADMIN, MEMBER, VIEWER, SESSION_OWNER, PLATFORM_ADMIN);
    private static final List<String> CREATORS = List.of(OWNER, ADMIN, MEMBER, SESSION_OWNER, PLATFORM_ADMIN);
    private static final List<String> MANAGERS = List.of(OWNER, ADMIN, PLATFORM_ADMIN);
    private static final List<String> OWNERS = List.of(OWNER, PLATFORM_ADMIN);
    private static final List<String> ITS_OWNER = List.of(SESSION_OWNER, PLATFORM_ADMIN);

    /** Who is let through, by method and path. */
    private static final Map<String, List<String>> ALLOWED = new LinkedHashMap<>();

    /** A body that the operation accepts, where it needs one. */
    private static final Map<String, Map<String, ?>> BODIES = new LinkedHashMap<>();

    static {
        String workspace = "/api/v1/workspaces/{workspaceId}";
        String session = "/api/v1/agent-sessions/{id}";
        ALLOWED.put("GET /api/v1/workspaces", EVERYBODY);
        ALLOWED.put("POST /api/v1/workspaces", EVERYBODY);
        ALLOWED.put("POST /api/v1/stream-tokens", EVERYBODY);
        ALLOWED.put("POST /api/v1/agent-sessions/heartbeats", EVERYBODY);
        ALLOWED.put("GET " + workspace, MEMBERS);
        ALLOWED.put("PATCH " + workspace, MANAGERS);
        ALLOWED.put("DELETE " + workspace, OWNERS);
        ALLOWED.put("GET " + workspace + "/members", MEMBERS);
        ALLOWED.put("GET " + workspace + "/members/me", MEMBERS);
        ALLOWED.put("POST " + workspace + "/members", MANAGERS);
        ALLOWED.put("PATCH " + workspace + "/members/{userId}", MANAGERS);
        ALLOWED.put("DELETE " + workspace + "/members/{userId}", MANAGERS);
        ALLOWED.put("GET " + workspace + "/agent-sessions", MEMBERS);
        ALLOWED.put("POST " + workspace + "/agent-sessions", CREATORS);
        ALLOWED.put("GET " + workspace + "/events", MEMBERS);
        ALLOWED.put("GET " + workspace + "/chats/{chatId}/events", MEMBERS);
        ALLOWED.put("GET " + workspace + "/chats", MEMBERS);
        ALLOWED.put("POST " + workspace + "/chats", CREATORS);
        ALLOWED.put("GET " + workspace + "/chats/{chatId}", MEMBERS);
        ALLOWED.put("PATCH " + workspace + "/chats/{chatId}", CREATORS);
        ALLOWED.put("POST " + workspace + "/chats/{chatId}", CREATORS);
        ALLOWED.put("POST " + workspace + "/chats/{chatId}/stop", CREATORS);
        ALLOWED.put("POST " + workspace + "/chats/{chatId}/answers", CREATORS);
        ALLOWED.put("GET " + workspace + "/attention", MEMBERS);
        ALLOWED.put("GET " + workspace + "/usage", MEMBERS);
        for (String call : List.of("GET ", "PATCH ", "DELETE ")) {
            ALLOWED.put(call + session, ITS_OWNER);
        }
        ALLOWED.put("GET " + session + "/events", ITS_OWNER);
        ALLOWED.put("GET " + session + "/commands", ITS_OWNER);
        ALLOWED.put("GET " + session + "/commands/{commandId}", ITS_OWNER);
        ALLOWED.put("POST " + session + "/migrate", List.of(PLATFORM_ADMIN));
        ALLOWED.put("GET /api/v1/servers", List.of(PLATFORM_ADMIN));
        ALLOWED.put("GET /api/v1/agent-hosts", List.of(PLATFORM_ADMIN));
        ALLOWED.put("POST /api/v1/agent-hosts", List.of());
        ALLOWED.put("POST /api/v1/servers/rebalance", List.of(PLATFORM_ADMIN));
        for (String command : List.of("start", "yield", "pause", "resume", "complete", "fail", "heartbeat")) {
            ALLOWED.put("POST " + session + "/" + command, ITS_OWNER);
        }

        BODIES.put("POST /api/v1/agent-hosts", Map.of("name", "h"));
        BODIES.put("POST /api/v1/workspaces", Map.of("name", "Another"));
        BODIES.put("POST /api/v1/stream-tokens", Map.of("path", "/api/v1/workspaces/" + NOBODY + "/events"));
        BODIES.put(
                "POST /api/v1/agent-sessions/heartbeats", Map.of("beats", List.of(Map.of("id", NOBODY, "epoch", 1))));
        BODIES.put("PATCH " + workspace, Map.of("name", "Renamed"));
        BODIES.put("POST " + workspace + "/members", Map.of("user_id", UUID.randomUUID(), "role", "viewer"));
        BODIES.put("PATCH " + workspace + "/members/{userId}", Map.of("role", "viewer"));
        BODIES.put("POST " + workspace + "/agent-sessions", Map.of("agent_type", "planner", "model", "m"));
        BODIES.put("POST " + workspace + "/chats", Map.of());
        BODIES.put("PATCH " + workspace + "/chats/{chatId}", Map.of("name", "n"));
        BODIES.put("POST " + workspace + "/chats/{chatId}", Map.of("content", "c"));
        BODIES.put("POST " + workspace + "/chats/{chatId}/answers", Map.of("answer", 1));
        BODIES.put("PATCH " + session, Map.of("current_task", "t"));
        BODIES.put("POST " + session + "/fail", Map.of("error_message", "e"));
        BODIES.put("POST " + session + "/heartbeat", Map.of("epoch", 1));
    }

    /** What becomes of a session's owner as a member of the workspace. */
    enum Fate {
        LEFT,
        VIEWS
    }

    /** A workspace with a member in each role, and a session that an ordinary member owns. */
    private record Scene(Map<String, Api> callers, Map<String, String> ids) {
        /** The same, when the session's owner is no member any more, or a viewer. */
        static Scene after(Fate fate) {
            Scene scene = set();
            Api owner = scene.callers().get(OWNER);
            String workspace = scene.ids().get("workspaceId");
            UUID leaver = scene.callers().get(SESSION_OWNER).userId();
            String membership = "/workspaces/" + workspace + "/members/" + leaver;
            (fate == Fate.LEFT
                            ? owner.given().delete(membership)
                            : owner.given().body(Map.of("role", "viewer")).patch(membership))
                    .then()
                    .statusCode(200);
            return scene;
        }

        static Scene set() {
            Map<String, Api> callers = new LinkedHashMap<>();
            Api owner = Api.newUser();
            callers.put(OWNER, owner);
            callers.put(STRANGER, Api.newUser());
            callers.put(PLATFORM_ADMIN, Api.newUser("admin"));
            String workspace = owner.newWorkspace();
            callers.put(ADMIN, owner.newMember(workspace, "admin"));
            callers.put(MEMBER, owner.newMember(workspace, "member"));
            callers.put(VIEWER, owner.newMember(workspace, "viewer"));
            Api sessionOwner = owner.newMember(workspace, "member");
            callers.put(SESSION_OWNER, sessionOwner);
            Api somebody = owner.newMember(workspace, "viewer");
            owner.addMember(workspace, callers.get(PLATFORM_ADMIN), "viewer");
            Map<String, String> chat = sessionOwner
                    .given()
                    .body(Map.of())
                    .post("/workspaces/{id}/chats", workspace)
                    .then()
                    .statusCode(201)
                    .extract()
                    .path("$");
            String command = sessionOwner
                    .given()
                    .body(Map.of())
                    .post("/agent-sessions/{id}/pause", chat.get("session_id"))
                    .then()
                    .statusCode(200)
                    .extract()
                    .path("command.id");
            return new Scene(
                    callers,
                    Map.of(
                            "workspaceId", workspace,
                            "userId", somebody.userId().toString(),
                            "id", chat.get("session_id"),
                            "commandId", command,
                            "chatId", chat.get("chat_id")));
        }
    }

    /**
     * All but those on one server, which FleetIT has: who may not see the fleet does not learn which servers exist; and those
     * on one host elsewhere, which HostIT has.
     */
    static List<OpenApi.Operation> operations() {
        return OpenApi.of(Service.ofQuarkus()).operations().stream()
                .filter(operation -> !operation.path().startsWith("/api/v1/servers/{id}")
                        && !operation.path().startsWith("/api/v1/agent-hosts/{hostId}"))
                .toList();
    }

    static Stream<Arguments> calls() {
        return operations().stream()
                .flatMap(operation -> EVERYBODY.stream().map(caller -> Arguments.of(operation, caller)));
    }

    @Test
    void everyOperationIsWrittenDown() {
        assertThat(operations().stream().map(OpenApi.Operation::toString)).hasSameElementsAs(ALLOWED.keySet());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("operations")
    void nobodyIsLetInWithoutAToken(OpenApi.Operation operation) {
        String path = operation.path(_ -> UUID.randomUUID().toString());

        Response reply = send(Api.withToken(Service.ofQuarkus(), null, null), operation, path);

        reply.then().spec(problem(401, "INVALID_TOKEN"));
    }

    @ParameterizedTest(name = "{0} by the {1}")
    @MethodSource("calls")
    void whoMayIsLetThroughAndNobodyElse(OpenApi.Operation operation, String caller) {
        assertAllowed(ALLOWED.get(operation.toString()).contains(caller), Scene.set(), operation, caller);
    }

    @ParameterizedTest(name = "{0} by who was removed")
    @MethodSource("operations")
    void whoHasLeftIsAStrangerAlsoToOnesOwnSession(OpenApi.Operation operation) {
        assertAllowed(
                ALLOWED.get(operation.toString()).contains(STRANGER), Scene.after(Fate.LEFT), operation, SESSION_OWNER);
    }

    @ParameterizedTest(name = "{0} by who was made a viewer")
    @MethodSource("operations")
    void whoOnlyViewsReadsOnesOwnSession(OpenApi.Operation operation) {
        boolean readsOwn = operation.method().equals("GET") && isOfOneSession(operation);
        assertAllowed(
                readsOwn || ALLOWED.get(operation.toString()).contains(VIEWER),
                Scene.after(Fate.VIEWS),
                operation,
                SESSION_OWNER);
    }

    static Stream<Arguments> callsToSessionsWithoutAnOwner() {
        return operations().stream()
                .filter(AccessMatrixTest::isOfOneSession)
                .flatMap(operation -> EVERYBODY.stream()
                        .filter(caller -> !caller.equals(SESSION_OWNER))
                        .flatMap(
                                caller -> Stream.of(Fate.values()).map(fate -> Arguments.of(operation, caller, fate))));
    }

    @ParameterizedTest(name = "{0} by the {1}, its owner {2}")
    @MethodSource("callsToSessionsWithoutAnOwner")
    void aSessionWhoseOwnerMayNotIsReadAndEndedByTheWorkspacesOwnersAndAdmins(
            OpenApi.Operation operation, String caller, Fate fate) {
        boolean readsOrEnds =
                operation.method().equals("GET") || operation.method().equals("DELETE");
        assertAllowed(
                readsOrEnds ? MANAGERS.contains(caller) : caller.equals(PLATFORM_ADMIN),
                Scene.after(fate),
                operation,
                caller);
    }

    private static boolean isOfOneSession(OpenApi.Operation operation) {
        return operation.path().startsWith("/api/v1/agent-sessions/{id}");
    }

    private static void assertAllowed(boolean allowed, Scene scene, OpenApi.Operation operation, String caller) {
        int status = status(scene.callers().get(caller), operation, operation.path(scene.ids()::get));

        if (allowed) {
            assertThat(status).isNotIn(401, 403, 404, 500);
        } else {
            assertThat(status).isEqualTo(403);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("operations")
    void whatDoesNotExistIsNotFoundForAnybody(OpenApi.Operation operation) {
        if (operation.parameters().stream().noneMatch(OpenApi.Parameter::inPath)) {
            return;
        }
        String path = operation.path(_ -> UUID.randomUUID().toString());

        assertThat(status(Api.newUser(), operation, path)).isEqualTo(404);
    }

    private static int status(Api api, OpenApi.Operation operation, String path) {
        if (operation.isStream()) {
            try (var stream = api.stream(path)) {
                return stream.status();
            }
        }
        return send(api, operation, path).statusCode();
    }

    private static Response send(Api api, OpenApi.Operation operation, String path) {
        RequestSpecification request = api.given();
        if (BODIES.containsKey(operation.toString())) {
            request.body(BODIES.get(operation.toString()));
        }
        return request.request(operation.method(), api.service().url(path));
    }
}
