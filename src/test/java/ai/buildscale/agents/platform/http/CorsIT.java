package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which pages may read the answers: those that are configured, and those of the same origin, whoever ends TLS for them. */
class CorsIT {
    private static final String PAGE = "https://app.example";
    private static final String JSON = "Content-Type: application/json";
    private static final String BODY = "{\"name\":\"A workspace\"}";
    private static final String LENGTH = "Content-Length: " + BODY.length();

    private static Service service;
    private static String token;

    @BeforeAll
    static void start() {
        service = Service.start(Map.of(
                "CORS_ORIGINS",
                PAGE + ",https://other.example/,/https://[a-z]+\\.preview\\.example/",
                "TRUSTED_PROXIES",
                "127.0.0.0/8"));
        token = "Authorization: Bearer " + Api.user(service).token();
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    private static List<String> names(String header) {
        return Arrays.stream(header.toLowerCase(Locale.ROOT).split(",", -1))
                .map(String::strip)
                .toList();
    }

    private static void assertNoCors(Api.Reply reply) {
        assertThat(reply.headers().map().keySet())
                .noneMatch(name -> name.startsWith("access-control-"))
                .contains("x-request-id");
    }

    private static Api.Reply preflight(Service where, String path, String... headers) {
        return RawHttp.send(where, RawHttp.head("OPTIONS " + path + " HTTP/1.1", headers));
    }

    static Stream<Arguments> pages() {
        return Stream.of("127.0.0.1", "localhost", "dash.example", "dash.example:8443")
                .flatMap(host ->
                        Stream.of("https://" + host, "http://" + host).map(origin -> Arguments.of(host, origin)));
    }

    /** Browsers send Origin with each POST, to the page's own origin too; TLS has ended before, as proxies say or do not. */
    @ParameterizedTest
    @MethodSource("pages")
    void aPageOfTheSameOriginPasses(String host, String origin) {
        for (Service where : List.of(service, Service.shared())) {
            String caller = "Authorization: Bearer " + Api.user(where).token();
            for (List<String> forwarded : List.of(
                    List.<String>of(),
                    List.of("X-Forwarded-Proto: https"),
                    List.of("X-Forwarded-Proto: https", "X-Forwarded-Host: " + host, "X-Forwarded-For: 203.0.113.9"),
                    List.of("X-Forwarded-Proto: https", "X-Forwarded-Port: 443"),
                    List.of("X-Forwarded-Proto: nonsense, https", "X-Forwarded-Port: nonsense"),
                    List.of("Forwarded: for=203.0.113.9;proto=https;host=\"" + host + "\""))) {
                List<String> lines = new ArrayList<>(List.of(
                        "POST /api/v1/workspaces HTTP/1.1",
                        "Host: " + host,
                        "Origin: " + origin,
                        caller,
                        JSON,
                        LENGTH));
                lines.addAll(forwarded);

                Api.Reply reply = RawHttp.send(where, String.join("\r\n", lines) + "\r\n\r\n" + BODY);

                reply.expect(201);
                assertNoCors(reply);
            }
        }
    }

    static Stream<String> strangers() {
        return Stream.of(
                "https://evil.example",
                "null",
                "http://app.example",
                "https://app.example:8443",
                "https://app.example.evil.example",
                "https://a.b.preview.example",
                "file://",
                "chrome-extension://abcdef",
                "nonsense",
                "");
    }

    /** As anybody: it is the browser that keeps the answer from the page. */
    @ParameterizedTest
    @MethodSource("strangers")
    void aPageThatIsNotConfiguredIsServedWithoutTheHeaders(String origin) {
        for (Service where : List.of(service, Service.shared())) {
            String caller = "Authorization: Bearer " + Api.user(where).token();
            String from = "Origin: " + origin;

            assertNoCors(preflight(
                    where,
                    "/api/v1/workspaces",
                    from,
                    "Access-Control-Request-Method: POST",
                    "Access-Control-Request-Headers: authorization"));
            Api.Reply made = RawHttp.send(
                    where, RawHttp.head("POST /api/v1/workspaces HTTP/1.1", from, caller, JSON, LENGTH) + BODY);
            made.expect(201);
            assertNoCors(made);
            String path =
                    "/api/v1/workspaces/" + made.json().at("/workspace/id").asText();
            Api.Reply read = RawHttp.send(where, RawHttp.head("GET " + path + " HTTP/1.1", from, caller));
            read.expect(200);
            assertNoCors(read);
            Api.Reply refused = RawHttp.send(where, RawHttp.head("DELETE " + path + " HTTP/1.1", from));
            refused.expectProblem(401, "INVALID_TOKEN");
            assertNoCors(refused);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://evil.example", "null"})
    void itsPreflightIsAnsweredWithNothing(String origin) {
        Api.Reply reply =
                preflight(service, "/api/v1/workspaces", "Origin: " + origin, "Access-Control-Request-Method: POST");

        assertThat(reply.status()).isEqualTo(204);
        assertThat(reply.text()).isEmpty();
        assertNoCors(reply);
        assertThat(names(reply.header("vary"))).contains("origin");
    }

    @ParameterizedTest
    @ValueSource(strings = {PAGE, "https://other.example", "https://branch.preview.example"})
    void aPageThatIsConfiguredReadsAnswers(String origin) {
        Api.Reply reply =
                RawHttp.send(service, RawHttp.head("GET /api/v1/workspaces HTTP/1.1", token, "Origin: " + origin));

        reply.expect(200);
        assertThat(reply.header("access-control-allow-origin")).isEqualTo(origin);
        assertThat(reply.headers().firstValue("access-control-allow-credentials"))
                .as("callers show a token, which no browser sends by itself")
                .isEmpty();
        assertThat(names(reply.header("access-control-expose-headers")))
                .contains("etag", "location", "retry-after", "x-request-id", "www-authenticate");
    }

    /** A browser asks once in two hours, and not before each call. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/v1/workspaces",
                "/api/v1/nowhere",
                "/api/v1/workspaces?label=a%7Cb",
                "/api/v1/agent-sessions/01999999-0000-7000-8000-000000000000/pause"
            })
    void preflightsMayBeRemembered(String path) {
        for (String method : List.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")) {
            Api.Reply reply = preflight(
                    service,
                    path,
                    "Origin: " + PAGE,
                    "Access-Control-Request-Method: " + method,
                    "Access-Control-Request-Headers: authorization,x-unknown");

            assertThat(reply.status()).isEqualTo(204);
            assertThat(reply.header("access-control-allow-origin")).isEqualTo(PAGE);
            assertThat(names(reply.header("access-control-allow-methods"))).contains(method.toLowerCase(Locale.ROOT));
            assertThat(names(reply.header("access-control-allow-headers"))).doesNotContain("x-unknown", "*");
            assertThat(reply.header("access-control-max-age")).isEqualTo("7200");
            assertThat(names(reply.header("vary"))).contains("origin");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "authorization",
                "content-type",
                "accept",
                "cache-control",
                "idempotency-key",
                "if-match",
                "if-none-match",
                "last-event-id",
                "x-request-id",
                "x-requested-with",
                "traceparent",
                "tracestate",
                "baggage",
                "b3",
                "sentry-trace"
            })
    void headersOfClientsAndOfTracesMayBeSent(String header) {
        Api.Reply reply = preflight(
                service,
                "/api/v1/workspaces",
                "Origin: " + PAGE,
                "Access-Control-Request-Method: GET",
                "Access-Control-Request-Headers: " + header);

        assertThat(names(reply.header("access-control-allow-headers"))).contains(header);
    }

    @Test
    void cachesKeepTheAnswersToOriginsApart() {
        for (String path : List.of("/api/v1/workspaces", "/api/v1/nowhere", "/q/openapi", "/q/health/live")) {
            for (String header : List.of("Origin: " + PAGE, "Origin: https://evil.example", "X-Nothing: 1")) {
                Api.Reply reply = RawHttp.send(service, RawHttp.head("GET " + path + " HTTP/1.1", token, header));

                assertThat(names(String.join(",", reply.headers().allValues("vary"))))
                        .as(path + " " + header)
                        .contains("origin");
            }
        }
        // where no origin is configured, all get the same
        Api.Reply same = RawHttp.send(
                Service.shared(), RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: https://evil.example"));
        assertThat(names(String.join(",", same.headers().allValues("vary")))).doesNotContain("origin");
    }

    static Stream<String> refused() {
        String nowhere = UUID.randomUUID().toString();
        return Stream.of(
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, "Authorization: Bearer x"),
                RawHttp.head("GET /api/v1/servers HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/nowhere HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /nowhere HTTP/1.1", "Origin: " + PAGE),
                RawHttp.head("GET /api/v1/workspaces;x=1 HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/workspaces/" + nowhere + " HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/workspaces/no-uuid HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/workspaces?label=a|b HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/%zz HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/workspaces?x=%ff HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("PUT /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("FOO /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token, "Accept: text/html"),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token, JSON, "Content-Length: 2")
                        + "[]",
                RawHttp.head(
                        "POST /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token, JSON, "Content-Length: 9999999"),
                RawHttp.head("GET /" + "x".repeat(9_000) + " HTTP/1.1", "Origin: " + PAGE, token),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token, "X: " + "x".repeat(20_000)),
                RawHttp.head(
                                "POST /api/v1/workspaces HTTP/1.1",
                                "Origin: " + PAGE,
                                token,
                                "Content-Type: text/plain",
                                "Content-Length: 2")
                        + "{}",
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token, JSON, "Expect: tea"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Origin: " + PAGE, token, "Bad Header"));
    }

    /** Or the page could not read why. */
    @ParameterizedTest
    @MethodSource("refused")
    void everyRefusalCanBeReadByThePage(String request) {
        Api.Reply reply = RawHttp.send(service, request);

        assertThat(reply.status()).isBetween(400, 499);
        JsonNode problem =
                reply.expectProblem(reply.status(), reply.json().path("code").asText());
        assertThat(problem.get("code").asText()).isNotEmpty();
        assertThat(reply.header("access-control-allow-origin")).isEqualTo(PAGE);
        assertThat(names(reply.header("access-control-expose-headers"))).contains("retry-after");
        assertThat(reply.header("x-request-id")).isNotEmpty();
    }
}
