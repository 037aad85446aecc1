package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever turns a request away, and however early, says why in a problem document; and what need not be refused is not. */
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class RefusalsIT {
    private static final Service SERVICE = Service.shared();
    private static final OpenApi DOCUMENT = OpenApi.of(SERVICE);
    private static final Api USER = Api.user(SERVICE);
    private static final String TOKEN = "Authorization: Bearer " + USER.token();
    private static final String JSON = "Content-Type: application/json";
    private static final String POST = "POST /api/v1/workspaces HTTP/1.1";

    @AfterEach
    void nothingHasChanged() {
        assertThat(SERVICE.statusOf("/q/health/ready")).isEqualTo(200);
        assertThat(USER.get("/workspaces").expect(200).get("count").asInt()).isZero();
    }

    private static JsonNode refused(String request, int status, String code) {
        Api.Reply reply = RawHttp.send(SERVICE, request);
        JsonNode problem = reply.expectProblem(status, code);
        assertThat(reply.header("x-request-id")).isNotEmpty();
        assertThat(reply.header("x-content-type-options")).isEqualTo("nosniff");
        assertThat(reply.text()).doesNotContain("Exception", "io.vertx", "io.netty");
        return problem;
    }

    /** Targets that RFC 3986 does not know, and the part of them that is to blame. */
    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "/api/v1/workspaces?label=a|b label",
                "/api/v1/workspaces?status=idle&label={a} label",
                "/api/v1/workspaces?label=^ label",
                "/api/v1/workspaces?label=` label",
                "/api/v1/workspaces?label=<b> label",
                "/api/v1/workspaces?label=\" label",
                "/api/v1/workspaces?label=\\ label",
                "/api/v1/workspaces?label=% label",
                "/api/v1/workspaces?label=%4 label",
                "/api/v1/workspaces?label=%zz label",
                "/api/v1/workspaces?label=%ff label",
                "/api/v1/workspaces?label=%C0%80 label",
                "/api/v1/workspaces?label=%ED%A0%80 label",
                "/api/v1/workspaces?label=\u00e9 label",
                "/api/v1/workspaces?a|b=c query",
                "/api/v1/workspaces?%ff query",
                "/api/v1/workspaces/{id} path",
                "/api/v1/work|spaces path",
                "/api/v1/work[spaces] path",
                "/api/v1/work^spaces path",
                "/api/v1/% path",
                "/api/v1/%zz path",
                "/api/v1/%ff path",
                "/\u00ff path",
                "/% path",
                ":::/ path",
                "// path"
            })
    void addressesThatCannotBeRead(String target, String part) {
        for (String method : List.of("GET", "POST", "OPTIONS")) {
            JsonNode problem = refused(
                    RawHttp.head(method + " " + target + " HTTP/1.1", TOKEN, "Content-Length: 0"),
                    400,
                    "VALIDATION_ERROR");

            assertThat(problem.at("/fields/" + part).asText()).startsWith("must be ");
        }
    }

    @Test
    void nobodyMakesUpLabelsOfMetricsByThem() {
        for (String target : List.of("/made-up|1", "/made-up%zz", "/api/v1/made-up{2}", "/made-up%ff")) {
            refused(RawHttp.head("GET " + target + " HTTP/1.1", TOKEN), 400, "VALIDATION_ERROR");
        }

        assertThat(Metrics.of(SERVICE).samples())
                .noneMatch(sample -> sample.labels().getOrDefault("uri", "").contains("made-up"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"*", "api/v1/workspaces", "localhost:80", "/api/v1/%00", "/api/v1/workspaces#x"})
    void addressesThatLeadNowhere(String target) {
        refused(RawHttp.head("GET " + target + " HTTP/1.1", TOKEN), 404, "NOT_FOUND");
    }

    @Test
    void anAbsoluteAddressIsReadAsAnyOther() {
        for (String target :
                List.of("http://localhost/api/v1/workspaces", "https://[::1]:8443/api/v1/workspaces?x=1")) {
            RawHttp.send(SERVICE, RawHttp.head("GET " + target + " HTTP/1.1", TOKEN))
                    .expect(200);
        }
    }

    static Stream<Arguments> noHttp() {
        String get = "GET /api/v1/workspaces HTTP/1.1";
        List<String> requests = List.of(
                RawHttp.head("GET /api/v1/work spaces HTTP/1.1", TOKEN),
                RawHttp.head("GET /api/v1/workspaces?x=a b HTTP/1.1", TOKEN),
                RawHttp.head("GET /api/v1/workspaces\tx HTTP/1.1", TOKEN),
                RawHttp.head("GET  HTTP/1.1", TOKEN),
                RawHttp.head("G@T /api/v1/workspaces HTTP/1.1", TOKEN),
                RawHttp.head("GET / HTTP/x.y"),
                "GET / SPDY/9\r\n\r\n",
                "GET /\r\n\r\n",
                "GET\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
                RawHttp.head(get, TOKEN, "Bad Header"),
                RawHttp.head(get, TOKEN, "X : blank"),
                RawHttp.head(get, TOKEN, "X: \u0000"),
                RawHttp.head(get, TOKEN, "X: \u0001"),
                RawHttp.head(get, TOKEN, "Host: other"),
                "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
                RawHttp.head(POST, TOKEN, JSON, "Content-Length: abc"),
                RawHttp.head(POST, TOKEN, JSON, "Content-Length: -1"),
                RawHttp.head(POST, TOKEN, JSON, "Content-Length: +2") + "{}",
                RawHttp.head(POST, TOKEN, JSON, "Content-Length: 99999999999999999999999"),
                RawHttp.head(POST, TOKEN, JSON, "Content-Length: 2", "Content-Length: 3") + "{}",
                RawHttp.head(POST, TOKEN, JSON, "Transfer-Encoding: gzip") + "x",
                RawHttp.head(POST, TOKEN, JSON, "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
                RawHttp.head(POST, TOKEN, JSON, "Transfer-Encoding: nonsense") + "x",
                "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n");
        return Stream.concat(
                requests.stream().map(request -> Arguments.of(request, 400, "VALIDATION_ERROR")),
                Stream.of(
                        Arguments.of(RawHttp.head("GET / HTTP/2.0", TOKEN), 505, "HTTP_VERSION_NOT_SUPPORTED"),
                        Arguments.of(RawHttp.head("GET / HTTP/3.7", TOKEN), 505, "HTTP_VERSION_NOT_SUPPORTED"),
                        Arguments.of(RawHttp.head("GET /" + "x".repeat(9_000) + " HTTP/1.1"), 414, "URI_TOO_LONG"),
                        Arguments.of(RawHttp.head("GET /" + "x".repeat(100_000) + " HTTP/1.1"), 414, "URI_TOO_LONG"),
                        Arguments.of(RawHttp.head(get, "X: " + "x".repeat(20_000)), 431, "HEADERS_TOO_LARGE"),
                        Arguments.of(RawHttp.head(get, "X: " + "x".repeat(1 << 20)), 431, "HEADERS_TOO_LARGE")));
    }

    @ParameterizedTest
    @MethodSource("noHttp")
    void whatIsNoHttp(String request, int status, String code) {
        refused(request, status, code);
    }

    /** The connection ends right after: nobody knows where the next request would begin. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "zz\r\n",
                "-5\r\nabcde\r\n",
                "2\r\n{}xx\r\n0\r\n\r\n",
                "2\r\n{}\r\nzz\r\n",
                "2\r\n{}\r\n0\r\nBad Trailer\r\n\r\n"
            })
    void chunksThatCannotBeRead(String chunks) {
        String head = RawHttp.head(POST, TOKEN, JSON, "Transfer-Encoding: chunked");

        for (String smuggled : List.of("", RawHttp.head("GET /q/health/live HTTP/1.1"))) {
            String everything = RawHttp.everything(
                    SERVICE, out -> out.write((head + chunks + smuggled).getBytes(StandardCharsets.ISO_8859_1)));

            assertThat(everything).startsWith("HTTP/1.1 400 ").containsOnlyOnce("HTTP/1.1");
        }
        JsonNode problem = refused(head + chunks, 400, "VALIDATION_ERROR");
        assertThat(problem.at("/fields/body").asText()).contains("chunked");
        // whoever is refused for another reason hears of that
        refused(RawHttp.head(POST, JSON, "Transfer-Encoding: chunked") + chunks, 401, "INVALID_TOKEN");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "gzip, identity", "nonsense"})
    void bodiesInAContentCoding(String coding) throws IOException {
        ByteArrayOutputStream zipped = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(zipped)) {
            out.write("{\"name\":\"A workspace\"}".getBytes(StandardCharsets.UTF_8));
        }
        for (String caller : List.of(TOKEN, "X-Nobody: 1")) {
            Api.Reply reply = RawHttp.send(SERVICE, out -> {
                out.write(RawHttp.head(
                                POST, caller, JSON, "Content-Encoding: " + coding, "Content-Length: " + zipped.size())
                        .getBytes(StandardCharsets.US_ASCII));
                zipped.writeTo(out);
            });

            JsonNode problem = reply.expectProblem(415, "UNSUPPORTED_MEDIA_TYPE");
            assertThat(problem.get("detail").asText())
                    .containsIgnoringCase(coding.replace("identity", "").replace(", ", ""));
            assertThat(problem.at("/fields/Content-Encoding").asText()).contains("identity");
            assertThat(reply.header("accept-encoding")).isEqualTo("identity");
        }
    }

    @Test
    void aBodyAsItIsMayBeCalledSo() {
        for (String header :
                List.of("Content-Encoding: identity", "Content-Encoding: ", "Content-Encoding: IDENTITY")) {
            JsonNode problem = refused(
                    RawHttp.head(POST, TOKEN, JSON, header, "Content-Length: 2") + "{}", 400, "VALIDATION_ERROR");
            assertThat(problem.at("/fields/name").asText()).isNotEmpty();
        }
        // without a body there is nothing to be in a coding
        RawHttp.send(SERVICE, RawHttp.head("GET /api/v1/workspaces HTTP/1.1", TOKEN, "Content-Encoding: gzip"))
                .expect(200);
    }

    @Test
    void expectationsThatCannotBeMet() {
        for (String expectation : List.of("tea", "100-continue, tea", "200-ok")) {
            refused(
                    RawHttp.head(POST, TOKEN, JSON, "Expect: " + expectation, "Content-Length: 2") + "{}",
                    417,
                    "EXPECTATION_FAILED");
        }
    }

    static Stream<Arguments> refusalsOfLargeBodies() {
        return Stream.of(
                Arguments.of(401, List.of(JSON)),
                Arguments.of(401, List.of(JSON, "Authorization: Bearer x")),
                Arguments.of(415, List.of(TOKEN, JSON, "Content-Encoding: gzip")),
                Arguments.of(415, List.of(TOKEN, "Content-Type: text/plain")),
                Arguments.of(417, List.of(TOKEN, JSON, "Expect: tea")),
                Arguments.of(400, List.of(TOKEN, JSON, "Idempotency-Key: ")),
                Arguments.of(406, List.of(TOKEN, JSON, "Accept: text/html")));
    }

    /** What is left of the body is read, and the connection is as good as before. */
    @ParameterizedTest
    @MethodSource("refusalsOfLargeBodies")
    void aRefusalOfALargeBodyLeavesTheConnectionAsItIs(int status, List<String> headers) {
        byte[] body = " ".repeat(900_000).getBytes(StandardCharsets.US_ASCII);
        List<String> lines = new ArrayList<>(headers);
        lines.add("Content-Length: " + body.length);

        String everything = RawHttp.everything(SERVICE, out -> {
            out.write(RawHttp.head(POST, lines.toArray(String[]::new)).getBytes(StandardCharsets.US_ASCII));
            out.write(body);
            out.write(RawHttp.head("GET /api/v1/workspaces HTTP/1.1", TOKEN, "Connection: close")
                    .getBytes(StandardCharsets.US_ASCII));
        });

        assertThat(everything).startsWith("HTTP/1.1 " + status + " ").contains("HTTP/1.1 200 ");
    }

    /** What generated clients send where only errors have content, and other lists that leave room for JSON. */
    @TestFactory
    Stream<DynamicTest> whoAcceptsProblemsAcceptsAnswers() {
        return DOCUMENT.operations().stream()
                .map(operation -> DynamicTest.dynamicTest(operation.toString(), () -> {
                    String path = operation.path(_ -> UUID.randomUUID().toString());
                    for (String accepted : List.of(
                            "application/problem+json",
                            "application/problem+json;q=0.9, text/html",
                            "text/event-stream, application/problem+json",
                            "application/*",
                            "*/*",
                            "*/*;q=0.1",
                            "text/html, application/*;q=0.5",
                            "text/html, image/gif, *; q=.2, */*; q=.2")) {
                        // without a body that can be read, nothing is done
                        Api.Reply reply = USER.send(
                                operation.method(), path, operation.body() == null ? null : "[", "Accept", accepted);

                        assertThat(reply.status())
                                .as(accepted)
                                .isNotEqualTo(406)
                                .isLessThan(500);
                    }
                }));
    }

    @Test
    void anAnswerInJsonIsGivenToWhoAcceptsProblemsAlone() {
        Api.Reply reply = USER.get("/workspaces", "Accept", "application/problem+json");

        reply.expect(200);
        assertThat(reply.header("content-type")).startsWith("application/json");
        USER.get("/workspaces", "Accept", "text/html").expectProblem(406, "NOT_ACCEPTABLE");
        USER.get("/workspaces", "Accept-Charset", "iso-8859-1", "Accept-Language", "xx;q=y")
                .expect(200);
    }

    /** What EventSource, its stand-ins and generated clients send for a stream. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "text/event-stream",
                "text/event-stream, */*;q=0.1",
                "text/event-stream, application/problem+json",
                "text/event-stream;charset=utf-8",
                "application/x-dom-event-stream, text/event-stream",
                "text/*",
                "*/*",
                ""
            })
    void streamsAreGivenToWhoAcceptsThem(String accepted) {
        Api reader = Api.user(SERVICE);
        String path = "/workspaces/" + reader.newWorkspace() + "/events?snapshot=true";
        try (SseStream stream = reader.stream(path, "Accept", accepted)) {
            assertThat(stream.status()).isEqualTo(200);
            assertThat(stream.header("content-type")).startsWith("text/event-stream");
            stream.await(event -> event.type().equals("snapshot"));
        }
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
