package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a deployment sets around the API: how often one may call, from which pages; and the headers of every answer. */
class LimitsIT {
    private static final int PER_SECOND = 5;
    private static final String PAGE = "https://app.example";

    private static Service service;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of(
                "limits.requests-per-second",
                Integer.toString(PER_SECOND),
                "quarkus.http.cors.origins",
                PAGE + ",https://other.example"));
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    @Test
    void oneCallerIsSlowedDownAndNoOther() {
        Api eager = Api.user(service);
        Instant start = Instant.now();
        List<Api.Reply> replies = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            replies.add(eager.get("/workspaces"));
        }
        double seconds = Duration.between(start, Instant.now()).toMillis() / 1_000.0;

        long served = replies.stream().filter(reply -> reply.status() == 200).count();
        // two seconds' worth at once, and what has come since
        assertThat(served).isBetween(2L * PER_SECOND, (long) (2 * PER_SECOND + seconds * PER_SECOND + 1));
        assertThat(replies)
                .filteredOn(reply -> reply.status() != 200)
                .isNotEmpty()
                .allSatisfy(reply -> {
                    reply.expectProblem(429, "RATE_LIMITED");
                    assertThat(Integer.parseInt(reply.header("retry-after"))).isPositive();
                });
        Api.user(service).get("/workspaces").expect(200);
        Awaitility.await()
                .atMost(Duration.ofSeconds(5))
                .pollInterval(Duration.ofSeconds(1))
                .until(() -> eager.get("/workspaces").status() == 200);
    }

    @Test
    void whatIsRefusedIsNotDone() {
        Api eager = Api.user(service);
        int created = 0;
        for (int i = 0; i < 30; i++) {
            created += eager.post("/workspaces", "{\"name\":\"x\"}").status() == 201 ? 1 : 0;
        }
        int answered = created;

        assertThat(answered).isLessThan(30);
        Awaitility.await()
                .atMost(Duration.ofSeconds(5))
                .pollInterval(Duration.ofSeconds(1))
                .until(() -> eager.get("/workspaces"), reply -> reply.status() == 200);
        Awaitility.await()
                .atMost(Duration.ofSeconds(5))
                .pollInterval(Duration.ofSeconds(1))
                .untilAsserted(() -> assertThat(eager.get("/workspaces")
                                .expect(200)
                                .get("count")
                                .asInt())
                        .isEqualTo(answered));
    }

    @Test
    void aPageCanReadThatItAsksTooOften() {
        String request = RawHttp.head(
                "GET /api/v1/workspaces HTTP/1.1",
                "Origin: " + PAGE,
                "Authorization: Bearer " + Api.user(service).token());
        Api.Reply reply = RawHttp.send(service, request);
        for (int i = 0; i < 30 && reply.status() == 200; i++) {
            reply = RawHttp.send(service, request);
        }

        reply.expectProblem(429, "RATE_LIMITED");
        assertThat(reply.header("access-control-allow-origin")).isEqualTo(PAGE);
        assertThat(reply.header("access-control-expose-headers")).contains("Retry-After");
    }

    @Test
    void neitherHealthNorStrangersAreCounted() {
        Api nobody = Api.withToken(service, null, null);
        for (int i = 0; i < 30; i++) {
            assertThat(service.statusOf("/q/health/live")).isEqualTo(200);
            assertThat(nobody.get("/workspaces").status()).isEqualTo(401);
        }
    }

    @Test
    void theRefusalIsCountedInTheMetrics() {
        Api eager = Api.user(service);
        for (int i = 0; i < 30; i++) {
            eager.get("/workspaces");
        }

        String metrics = eager.get("/q/metrics").text();
        double refused = metrics.lines()
                .filter(line -> line.startsWith("requests_rate_limited_total"))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
        assertThat(refused).isPositive();
    }

    private static Api.Reply preflight(Service where, String origin, String method) {
        return RawHttp.send(
                where,
                RawHttp.head(
                        "OPTIONS /api/v1/workspaces HTTP/1.1",
                        "Origin: " + origin,
                        "Access-Control-Request-Method: " + method,
                        "Access-Control-Request-Headers: authorization,content-type,idempotency-key,if-match"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET", "POST", "PATCH", "DELETE"})
    void aPageThatIsConfiguredMayCall(String method) {
        Api.Reply allowed = preflight(service, PAGE, method);

        assertThat(allowed.status()).isEqualTo(204);
        assertThat(allowed.header("access-control-allow-origin")).isEqualTo(PAGE);
        assertThat(allowed.header("access-control-allow-methods")).contains(method);
        assertThat(allowed.header("access-control-allow-headers").toLowerCase(java.util.Locale.ROOT))
                .contains("authorization", "idempotency-key", "if-match");
    }

    @Test
    void itReadsTheHeadersItNeeds() {
        Api user = Api.user(service);

        Api.Reply reply = RawHttp.send(
                service,
                RawHttp.head(
                        "GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, "Authorization: Bearer " + user.token()));

        reply.expect(200);
        assertThat(reply.header("access-control-allow-origin")).isEqualTo(PAGE);
        assertThat(reply.header("access-control-expose-headers")).contains("ETag", "Location", "Retry-After");
        Api.Reply refusal = RawHttp.send(service, RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE));
        refusal.expectProblem(401, "INVALID_TOKEN");
        assertThat(refusal.header("access-control-allow-origin"))
                .as("or the page could not read why")
                .isEqualTo(PAGE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://evil.example", "null", "http://app.example", "https://app.example.evil.example"})
    void otherPagesMayNot(String origin) {
        assertThat(preflight(service, origin, "POST").header("access-control-allow-origin"))
                .isNull();
        assertThat(preflight(Service.shared(), origin, "POST").header("access-control-allow-origin"))
                .isNull();
        Api.Reply reply = RawHttp.send(service, RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + origin));
        assertThat(reply.header("access-control-allow-origin")).isNull();
        assertThat(reply.status()).isBetween(400, 499);
    }

    /** An answer of each kind, from every layer that answers. */
    static Stream<String> requests() {
        String token = "Authorization: Bearer " + Api.user(service).token();
        String json = "Content-Type: application/json";
        return Stream.of(
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", token),
                RawHttp.head("HEAD /api/v1/workspaces HTTP/1.1", token),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", token, json, "Content-Length: 0"),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", token, json, "Content-Length: 9999999"),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", token, "Content-Type: x/y", "Content-Length: 0"),
                RawHttp.head("PUT /api/v1/workspaces HTTP/1.1", token),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Authorization: Bearer x"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", token, "Accept: text/csv"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", token, "X-Large: " + "x".repeat(30_000)),
                RawHttp.head("GET /api/v1/" + "x".repeat(10_000) + " HTTP/1.1", token),
                RawHttp.head("GET /api/v1/workspaces;x=1 HTTP/1.1", token),
                RawHttp.head("GET /api/v1/nothing HTTP/1.1", token));
    }

    @ParameterizedTest
    @MethodSource("requests")
    void everyAnswerCarriesTheSecurityHeaders(String request) {
        Api.Reply reply = RawHttp.send(service, request);

        assertThat(reply.status()).isGreaterThanOrEqualTo(200);
        assertThat(reply.header("x-content-type-options")).isEqualTo("nosniff");
        assertThat(reply.header("x-frame-options")).isEqualTo("DENY");
        assertThat(reply.header("referrer-policy")).isEqualTo("no-referrer");
        assertThat(reply.header("cache-control")).contains("private", "no-cache");
        assertThat(reply.header("x-request-id")).isNotEmpty();
        assertThat(reply.header("server")).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/", "/nothing", "/q/health/live", "/q/openapi"})
    void soDoAnswersOutsideTheApi(String path) {
        Api.Reply reply = RawHttp.send(service, RawHttp.head("GET " + path + " HTTP/1.1"));

        assertThat(reply.header("x-content-type-options")).isEqualTo("nosniff");
        assertThat(reply.header("x-frame-options")).isEqualTo("DENY");
        assertThat(reply.header("referrer-policy")).isEqualTo("no-referrer");
        assertThat(reply.header("x-request-id")).isNotEmpty();
    }

    @Test
    void soDoStreams() {
        Api user = Api.user(service);
        try (SseStream stream = user.stream("/workspaces/" + user.newWorkspace() + "/events")) {
            assertThat(stream.status()).isEqualTo(200);
            assertThat(stream.header("x-content-type-options")).isEqualTo("nosniff");
            assertThat(stream.header("cache-control")).contains("no-cache");
            assertThat(stream.header("x-request-id")).isNotEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "trace-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "A.b_c:d"})
    void aRequestIdIsTakenUp(String id) {
        assertThat(Api.user(service).get("/workspaces", "X-Request-Id", id).header("x-request-id"))
                .isEqualTo(id);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "a\tb", "<script>", "\"", "é", "a,b", "a;b"})
    void aStrangeRequestIdIsReplaced(String id) {
        Api.Reply reply = RawHttp.send(service, RawHttp.head("GET /q/health/live HTTP/1.1", "X-Request-Id: " + id));

        assertThat(reply.header("x-request-id")).isNotEqualTo(id).matches("[0-9a-f-]{36}");
    }

    @Test
    void aLongRequestIdIsReplaced() {
        Api user = Api.user(service);

        assertThat(user.get("/workspaces", "X-Request-Id", "x".repeat(128)).header("x-request-id"))
                .isEqualTo("x".repeat(128));
        assertThat(user.get("/workspaces", "X-Request-Id", "x".repeat(129)).header("x-request-id"))
                .matches("[0-9a-f-]{36}");
        assertThat(user.get("/workspaces").header("x-request-id"))
                .isNotEqualTo(user.get("/workspaces").header("x-request-id"));
    }
}
