package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every kind of failure has one form: RFC 9457, with the members that older clients read. */
class ProblemsIT {
    private static final Service SERVICE = Service.shared();
    private static final Api OWNER = Api.user(SERVICE);
    private static final String WORKSPACE = OWNER.newWorkspace();
    private static final String SESSION = OWNER.newSession(WORKSPACE).get("id").asText();
    private static final String PATH = "/agent-sessions/" + SESSION;
    private static final Set<String> MEMBERS = Set.of("type", "title", "status", "detail", "instance", "error", "code");

    private static String head(String requestLine, String... headers) {
        String[] all = Stream.concat(Stream.of("Authorization: Bearer " + OWNER.token()), Stream.of(headers))
                .toArray(String[]::new);
        return RawHttp.head(requestLine, all);
    }

    /** A way to meet each kind of problem; the facts it adds to the common members. */
    static Stream<Arguments> kinds() {
        String full = OWNER.newWorkspace();
        OWNER.patch("/workspaces/" + full, "{\"max_live_sessions\":0}").expect(200);
        String sessions = "{\"agent_type\":\"planner\",\"model\":\"m\"}";
        return Stream.of(
                kind(ProblemType.VALIDATION_ERROR, () -> OWNER.post("/workspaces", "{\"name\":\"\"}"), "fields"),
                kind(
                        ProblemType.INVALID_TOKEN,
                        () -> Api.withToken(SERVICE, null, "x").get("/workspaces")),
                kind(ProblemType.FORBIDDEN, () -> Api.user(SERVICE).get("/workspaces/" + WORKSPACE)),
                kind(ProblemType.NOT_FOUND, () -> OWNER.get("/workspaces/" + UUID.randomUUID())),
                kind(ProblemType.METHOD_NOT_ALLOWED, () -> OWNER.send("PUT", "/workspaces", "{}")),
                kind(ProblemType.NOT_ACCEPTABLE, () -> OWNER.get("/workspaces", "Accept", "text/csv")),
                kind(
                        ProblemType.CONFLICT,
                        () -> OWNER.command(SESSION, "yield", "{}"),
                        "current_status",
                        "allowed_transitions"),
                kind(ProblemType.FENCED, () -> OWNER.command(SESSION, "heartbeat", "{\"epoch\":99}"), "epoch"),
                kind(
                        ProblemType.STALE_VERSION,
                        () -> OWNER.patch(PATH, "{\"model\":\"n\"}", "If-Match", "\"v99\""),
                        "version"),
                kind(
                        ProblemType.PAYLOAD_TOO_LARGE,
                        () -> RawHttp.send(
                                SERVICE, head("POST /api/v1/workspaces HTTP/1.1", "Content-Length: 9999999"))),
                kind(
                        ProblemType.URI_TOO_LONG,
                        () -> RawHttp.send(SERVICE, head("GET /api/v1/" + "x".repeat(9_000) + " HTTP/1.1"))),
                kind(ProblemType.HEADERS_TOO_LARGE, () -> OWNER.get("/workspaces", "X-Large", "x".repeat(20_000))),
                kind(
                        ProblemType.UNSUPPORTED_MEDIA_TYPE,
                        () -> OWNER.post("/workspaces", "name: x", "Content-Type", "application/yaml")),
                kind(ProblemType.IDEMPOTENCY_MISMATCH, () -> {
                    String key = UUID.randomUUID().toString();
                    OWNER.post("/workspaces", "{\"name\":\"a\"}", "Idempotency-Key", key)
                            .expect(201);
                    return OWNER.post("/workspaces", "{\"name\":\"b\"}", "Idempotency-Key", key);
                }),
                kind(
                        ProblemType.QUOTA_EXCEEDED,
                        () -> OWNER.post("/workspaces/" + full + "/agent-sessions", sessions),
                        "max_live_sessions"));
    }

    private static Arguments kind(ProblemType type, Supplier<Api.Reply> meet, String... facts) {
        return Arguments.of(type, meet, Set.of(facts));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("kinds")
    void everyKindHasTheSameForm(ProblemType type, Supplier<Api.Reply> meet, Set<String> facts) {
        Api.Reply reply = meet.get();

        JsonNode problem = reply.expectProblem(type.status(), type.name());
        assertThat(reply.header("content-type")).isEqualTo("application/problem+json");
        assertThat(problem.get("type").asText())
                .isEqualTo("/problems/" + type.name().toLowerCase(Locale.ROOT).replace('_', '-'));
        assertThat(problem.get("title").asText()).isEqualTo(type.title());
        assertThat(problem.get("error")).isEqualTo(problem.get("detail"));
        assertThat(problem.get("instance").asText()).startsWith("/api/v1/");
        assertThat(problem.properties().stream().map(Map.Entry::getKey)).containsAll(MEMBERS);
        assertThat(problem.properties().stream().map(Map.Entry::getKey).filter(name -> !MEMBERS.contains(name)))
                .containsExactlyInAnyOrderElementsOf(facts);
        assertThat(reply.text()).doesNotContain("Exception", "ai.buildscale", "null");
        boolean again = type.status() == 429;
        assertThat(reply.header("retry-after") != null).isEqualTo(again);
    }

    @Test
    void noKindIsForgotten() {
        Set<ProblemType> met = EnumSet.noneOf(ProblemType.class);
        kinds().forEach(kind -> met.add((ProblemType) kind.get()[0]));
        // see LimitsIT, UnavailableIT, RefusalsIT, ChatStartIT, and below
        met.addAll(EnumSet.of(
                ProblemType.RATE_LIMITED,
                ProblemType.UNAVAILABLE,
                ProblemType.EXPECTATION_FAILED,
                ProblemType.HTTP_VERSION_NOT_SUPPORTED,
                ProblemType.MAILBOX_FULL,
                ProblemType.INTERNAL_ERROR));

        assertThat(met).containsExactlyInAnyOrder(ProblemType.values());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/%22%5C", "/%0D%0AX-Injected:%20x", "/%C3%A9", "/%F0%9F%99%82", "/%3Cscript%3E"})
    void thePathIsQuotedWell(String path) {
        Api.Reply reply = RawHttp.send(SERVICE, RawHttp.head("GET " + path + " HTTP/1.1"));

        JsonNode problem = reply.expectProblem(404, "NOT_FOUND");
        assertThat(problem.get("instance").asText()).isNotEmpty();
        assertThat(reply.header("x-injected")).isNull();
    }

    @Test
    void whatNobodyExpectedIsInTheLogAndNotInTheAnswer() {
        try (Service broken = Service.start(Map.of())) {
            Api caller = Api.user(broken);
            String workspace = caller.newWorkspace();
            Postgres.execute(broken.databaseUrl(), "alter table workspaces rename to hidden");

            for (Supplier<Api.Reply> call : Set.<Supplier<Api.Reply>>of(
                    () -> caller.get("/workspaces", "X-Request-Id", "trace-1"),
                    () -> caller.delete("/workspaces/" + workspace, "X-Request-Id", "trace-2"),
                    () -> caller.post(
                            "/workspaces", "{\"name\":\"x\"}", "Idempotency-Key", "k", "X-Request-Id", "trace-3"))) {
                Api.Reply reply = call.get();

                JsonNode problem = reply.expectProblem(500, "INTERNAL_ERROR");
                String id = problem.get("error_id").asText();
                assertThat(problem.get("detail").asText()).contains(id);
                assertThat(reply.text()).doesNotContain("relation", "hidden", "PgException", "Exception", "select");
                assertThat(reply.header("x-request-id")).startsWith("trace-");
                assertThat(broken.log().lines().filter(line -> line.contains("error " + id)))
                        .as("the log line")
                        .singleElement()
                        .satisfies(line ->
                                assertThat(line).contains(" ERROR ", reply.header("x-request-id"), "does not exist"));
            }
            assertThat(broken.statusOf("/q/health/live")).isEqualTo(200);
        }
    }
}
