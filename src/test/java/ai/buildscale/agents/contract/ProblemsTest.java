package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.problem;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.notNullValue;
import static org.hamcrest.Matchers.nullValue;
import static org.hamcrest.Matchers.startsWith;

import ai.buildscale.agents.platform.problem.ProblemType;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.builder.ResponseBuilder;
import io.restassured.http.Header;
import io.restassured.http.Headers;
import io.restassured.response.Response;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every kind of failure has one form: RFC 9457, with the members that older clients read. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class ProblemsTest {
    private static final Set<String> MEMBERS = Set.of("type", "title", "status", "detail", "instance", "error", "code");

    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();
    private final String session = owner.newSession(workspace).get("id").asText();

    /** A way to meet each kind of problem; the facts it adds to the common members. */
    static Stream<Arguments> kinds() {
        return Stream.of(
                kind(
                        ProblemType.VALIDATION_ERROR,
                        test -> test.owner.given().body(Map.of("name", "")).post("/workspaces"),
                        "fields"),
                kind(
                        ProblemType.INVALID_TOKEN,
                        _ -> Api.withToken(Service.ofQuarkus(), null, "x")
                                .given()
                                .get("/workspaces")),
                kind(ProblemType.FORBIDDEN, test -> Api.newUser().given().get("/workspaces/{id}", test.workspace)),
                kind(ProblemType.NOT_FOUND, test -> test.owner.given().get("/workspaces/{id}", UUID.randomUUID())),
                kind(
                        ProblemType.METHOD_NOT_ALLOWED,
                        test -> test.owner.given().body("{}").put("/workspaces")),
                kind(
                        ProblemType.NOT_ACCEPTABLE,
                        test -> test.owner.given().accept("text/csv").get("/workspaces")),
                kind(
                        ProblemType.CONFLICT,
                        test -> test.owner.given().body("{}").post("/agent-sessions/{id}/yield", test.session),
                        "current_status",
                        "allowed_transitions"),
                kind(
                        ProblemType.FENCED,
                        test -> test.owner
                                .given()
                                .body(Map.of("epoch", 99))
                                .post("/agent-sessions/{id}/heartbeat", test.session),
                        "epoch"),
                kind(
                        ProblemType.STALE_VERSION,
                        test -> test.owner
                                .given()
                                .header("If-Match", "\"v99\"")
                                .body(Map.of("model", "n"))
                                .patch("/agent-sessions/{id}", test.session),
                        "version"),
                kind(ProblemType.PAYLOAD_TOO_LARGE, ProblemsTest::announceALargeBody),
                kind(ProblemType.URI_TOO_LONG, test -> test.owner.given().get("/" + "x".repeat(9_000))),
                kind(
                        ProblemType.HEADERS_TOO_LARGE,
                        test -> test.owner
                                .given()
                                .header("X-Large", "x".repeat(20_000))
                                .get("/workspaces")),
                kind(
                        ProblemType.UNSUPPORTED_MEDIA_TYPE,
                        test -> test.owner
                                .given()
                                .contentType("application/yaml")
                                .body("name: x".getBytes(UTF_8))
                                .post("/workspaces")),
                kind(ProblemType.IDEMPOTENCY_MISMATCH, ProblemsTest::useAKeyTwice),
                kind(ProblemType.QUOTA_EXCEEDED, ProblemsTest::createOneTooMany, "max_live_sessions"));
    }

    private static Arguments kind(ProblemType type, Function<ProblemsTest, Response> meet, String... facts) {
        return Arguments.of(type, meet, Set.of(facts));
    }

    /** And does not send it, which no decent client does. */
    private Response announceALargeBody() {
        Api.Reply reply = RawHttp.send(
                owner.service(),
                RawHttp.head(
                        "POST /api/v1/workspaces HTTP/1.1",
                        "Authorization: Bearer " + owner.token(),
                        "Content-Length: 9999999"));
        return new ResponseBuilder()
                .setStatusCode(reply.status())
                .setHeaders(new Headers(reply.headers().map().entrySet().stream()
                        .map(header ->
                                new Header(header.getKey(), header.getValue().getFirst()))
                        .toList()))
                .setContentType(reply.header("content-type"))
                .setBody(reply.text())
                .build();
    }

    private Response useAKeyTwice() {
        owner.given("twice")
                .body(Map.of("name", "a"))
                .post("/workspaces")
                .then()
                .statusCode(201);
        return owner.given("twice").body(Map.of("name", "b")).post("/workspaces");
    }

    private Response createOneTooMany() {
        String full = owner.newWorkspace();
        owner.given()
                .body(Map.of("max_live_sessions", 0))
                .patch("/workspaces/{id}", full)
                .then()
                .statusCode(200);
        return owner.given()
                .body(Map.of("agent_type", "planner", "model", "m"))
                .post("/workspaces/{id}/agent-sessions", full);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("kinds")
    void everyKindHasTheSameForm(ProblemType type, Function<ProblemsTest, Response> meet, Set<String> facts) {
        Response reply = meet.apply(this);

        reply.then()
                .spec(problem(type.status(), type.name()))
                .header("Content-Type", is("application/problem+json"))
                .header("Retry-After", type.status() == 429 ? notNullValue() : nullValue())
                .body(
                        "type",
                        is("/problems/" + type.name().toLowerCase(Locale.ROOT).replace('_', '-')))
                .body("title", is(type.title()))
                .body("error", is(reply.<String>path("detail")))
                .body("instance", startsWith("/api/v1/"));
        Set<String> members = reply.<Map<String, Object>>path("$").keySet();
        assertThat(members).containsAll(MEMBERS);
        assertThat(members).filteredOn(name -> !MEMBERS.contains(name)).containsExactlyInAnyOrderElementsOf(facts);
        assertThat(reply.asString()).doesNotContain("Exception", "ai.buildscale", "null");
    }

    @Test
    void noKindIsForgotten() {
        Set<ProblemType> met = EnumSet.noneOf(ProblemType.class);
        kinds().forEach(kind -> met.add((ProblemType) kind.get()[0]));
        // see LimitsIT, UnavailableIT, RefusalsIT, ChatStartIT
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
        Api nobody = Api.withToken(Service.ofQuarkus(), null, null);

        Response reply = nobody.given().baseUri(Service.ofQuarkus().url("")).get(path);

        reply.then().spec(problem(404, "NOT_FOUND")).header("X-Injected", nullValue());
    }
}
