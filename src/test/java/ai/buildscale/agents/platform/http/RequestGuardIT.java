package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that are too large, go nowhere, or are no HTTP: each gets its 4xx at once, and the service lives on. */
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class RequestGuardIT {
    private static final Service SERVICE = Service.shared();
    private static final OpenApi DOCUMENT = OpenApi.of(SERVICE);
    private static final Api USER = Api.user(SERVICE);
    private static final String TOKEN = "Authorization: Bearer " + USER.token();
    private static final String JSON = "Content-Type: application/json";
    private static final int MEGABYTE = 1 << 20;

    @AfterEach
    void theServiceIsReadyAndNothingHasChanged() {
        assertThat(SERVICE.statusOf("/q/health/ready")).isEqualTo(200);
        assertThat(USER.get("/workspaces").expect(200).get("count").asInt()).isZero();
    }

    private static void write(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Writes spaces, a JSON body that never begins. */
    private static void writeBlanks(OutputStream out, int megabytes, boolean chunked) throws IOException {
        byte[] blanks = new byte[MEGABYTE / 4];
        Arrays.fill(blanks, (byte) ' ');
        for (int i = 0; i < megabytes * 4; i++) {
            if (chunked) {
                write(out, Integer.toHexString(blanks.length) + "\r\n");
            }
            out.write(blanks);
            if (chunked) {
                write(out, "\r\n");
            }
        }
        if (chunked) {
            write(out, "0\r\n\r\n");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 20, 100})
    void announcedBodiesOverTheLimit(int megabytes) {
        String head = RawHttp.head(
                "POST /api/v1/workspaces HTTP/1.1", TOKEN, JSON, "Content-Length: " + (long) megabytes * MEGABYTE);

        Api.Reply reply = RawHttp.send(SERVICE, out -> {
            write(out, head);
            writeBlanks(out, megabytes, false);
        });

        reply.expectProblem(413, "PAYLOAD_TOO_LARGE");
        assertThat(reply.header("connection")).isEqualTo("close");
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 20, 100})
    void chunkedBodiesOverTheLimit(int megabytes) {
        String head = RawHttp.head("POST /api/v1/workspaces HTTP/1.1", TOKEN, JSON, "Transfer-Encoding: chunked");

        Api.Reply reply = RawHttp.send(SERVICE, out -> {
            write(out, head);
            writeBlanks(out, megabytes, true);
        });

        reply.expectProblem(413, "PAYLOAD_TOO_LARGE");
        assertThat(reply.header("connection")).isEqualTo("close");
    }

    @Test
    void manyLargeBodiesAtOnceFitInMemory() {
        String head = RawHttp.head("POST /api/v1/workspaces HTTP/1.1", TOKEN, JSON, "Transfer-Encoding: chunked");

        List<Api.Reply> replies = AtOnce.run(
                20,
                _ -> RawHttp.send(SERVICE, out -> {
                    write(out, head);
                    writeBlanks(out, 50, true);
                }));

        assertThat(replies).allSatisfy(reply -> reply.expectProblem(413, "PAYLOAD_TOO_LARGE"));
    }

    @Test
    void aLargeBodyIsNotWaitedFor() {
        for (String expectation : List.of("X-Nothing: 1", "Expect: 100-continue")) {
            String head = RawHttp.head(
                    "POST /api/v1/workspaces HTTP/1.1", TOKEN, JSON, "Content-Length: 100000000", expectation);

            RawHttp.send(SERVICE, head).expectProblem(413, "PAYLOAD_TOO_LARGE");
        }
    }

    @Test
    void whatIsLeftOfALargeBodyIsNoRequest() {
        String smuggled = RawHttp.head("GET /q/health/live HTTP/1.1");
        String head = RawHttp.head(
                "POST /api/v1/workspaces HTTP/1.1",
                TOKEN,
                JSON,
                "Content-Length: " + (2 * MEGABYTE + smuggled.length()));

        String everything = RawHttp.everything(SERVICE, out -> {
            write(out, head);
            writeBlanks(out, 2, false);
            write(out, smuggled);
            write(out, smuggled);
        });

        assertThat(everything).startsWith("HTTP/1.1 413 ").containsOnlyOnce("HTTP/1.1");
    }

    @Test
    void bodiesUpToTheLimitAreRead() {
        String filler = " ".repeat(MEGABYTE - 30);
        String body = "{\"name\":5" + filler + "}";

        for (String method : List.of("announced", "chunked")) {
            String head = RawHttp.head(
                    "POST /api/v1/workspaces HTTP/1.1",
                    TOKEN,
                    JSON,
                    method.equals("chunked") ? "Transfer-Encoding: chunked" : "Content-Length: " + body.length());
            Api.Reply reply = RawHttp.send(SERVICE, out -> {
                write(out, head);
                write(
                        out,
                        method.equals("chunked")
                                ? Integer.toHexString(body.length()) + "\r\n" + body + "\r\n0\r\n\r\n"
                                : body);
            });

            JsonNode problem = reply.expectProblem(400, "VALIDATION_ERROR");
            assertThat(problem.at("/fields/name").asText()).isEqualTo("must be a string");
        }
    }

    @Test
    void headersOverTheLimit() {
        for (List<String> headers : List.of(
                List.of("X-Large: " + "x".repeat(64_000)),
                List.of("Authorization: Bearer " + "x".repeat(64_000)),
                List.of("Cookie: " + "x".repeat(20_000)),
                IntStream.range(0, 3_000).mapToObj(i -> "X-" + i + ": x").toList())) {
            String head = RawHttp.head("GET /api/v1/workspaces HTTP/1.1", headers.toArray(String[]::new));

            RawHttp.send(SERVICE, head).expectProblem(431, "HEADERS_TOO_LARGE");
        }
        String boundless = RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "X-Large: " + "x".repeat(MEGABYTE));
        assertThat(RawHttp.send(SERVICE, boundless).status()).isEqualTo(431);
    }

    @Test
    void headersUpToTheLimitAreRead() {
        assertThat(USER.get("/workspaces", "X-Large", "x".repeat(12_000)).status())
                .isEqualTo(200);
    }

    @Test
    void addressesOverTheLimit() {
        for (String target : List.of("/api/v1/workspaces?x=" + "x".repeat(8_000), "/" + "x".repeat(16_000))) {
            RawHttp.send(SERVICE, RawHttp.head("GET " + target + " HTTP/1.1", TOKEN))
                    .expectProblem(414, "URI_TOO_LONG");
        }
        assertThat(RawHttp.send(SERVICE, RawHttp.head("GET /" + "x".repeat(100_000) + " HTTP/1.1", TOKEN))
                        .status())
                .isEqualTo(414);
        assertThat(USER.get("/workspaces?x=" + "x".repeat(6_000)).status()).isEqualTo(200);
    }

    @TestFactory
    Stream<DynamicTest> everyPathSaysWhichMethodsItKnows() {
        return DOCUMENT.methods().keySet().stream()
                .map(path -> DynamicTest.dynamicTest(path, () -> {
                    String target =
                            path.replaceAll("\\{[^}]*}", UUID.randomUUID().toString());
                    Set<String> known = methodsOf(target);
                    Set<String> wrong = new TreeSet<>(Set.of("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"));
                    wrong.removeAll(known);
                    for (String method : wrong) {
                        Api.Reply reply =
                                RawHttp.send(SERVICE, RawHttp.head(method + " " + target + " HTTP/1.1", TOKEN));
                        reply.expectProblem(405, "METHOD_NOT_ALLOWED");
                        assertThat(Set.of(reply.header("allow").split(", ", -1)))
                                .as(method + " " + target)
                                .isEqualTo(known);
                    }
                }));
    }

    /** Of all the paths that match: {@code members/me} is one of its own, and one of {@code members/{userId}}. */
    private static Set<String> methodsOf(String target) {
        return DOCUMENT.methods().entrySet().stream()
                .filter(path -> target.matches(path.getKey().replaceAll("\\{[^}]*}", "[^/]*")))
                .flatMap(path -> path.getValue().stream())
                .collect(Collectors.toSet());
    }

    static Stream<String> pathsThatAreNot() {
        return Stream.of(
                "/api",
                "/api/",
                "/api/v1",
                "/api/v1/",
                "/api/v2/workspaces",
                "/api/v1/workspace",
                "/api/v1/workspaces/" + UUID.randomUUID() + "/nothing",
                "/api/v1/agent-sessions",
                "/api/v1/agent-sessions/" + UUID.randomUUID() + "/explode",
                "/api/v1/dev/tokens",
                "/api/v1/workspaces;x=1",
                "/api/v1;/workspaces",
                "/API/v1/workspaces",
                "/api%2fv1/workspaces",
                "/",
                "/nothing",
                "/index.html",
                "/favicon.ico",
                "/q/nothing",
                "/q/dev",
                "/q/swagger-ui",
                "/.env",
                "/..%2f..%2fetc/passwd");
    }

    @ParameterizedTest
    @MethodSource("pathsThatAreNot")
    void unknownPaths(String path) {
        for (String method : List.of("GET", "POST", "DELETE")) {
            RawHttp.send(SERVICE, RawHttp.head(method + " " + path + " HTTP/1.1", TOKEN, "Content-Length: 0"))
                    .expectProblem(404, "NOT_FOUND");
        }
    }

    /** Ways to write a path under /api so that a rule on "/api/*" might not see it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "//api/v1/workspaces",
                "/api//v1/workspaces",
                "/x/../api/v1/workspaces",
                "/./api/v1/workspaces",
                "/%61pi/v1/workspaces",
                "/api/v1/%77orkspaces",
                "/api;x=1/v1/workspaces",
                "/api;/v1/workspaces",
                "/;/api/v1/workspaces",
                "/api/v1/workspaces;x=1",
                "/api/v1/workspaces/",
                "/api/./v1/workspaces",
                "http://localhost/api/v1/workspaces",
                "/api/v1/workspaces?",
                "/api/v1/workspaces#x",
                "/api\\v1/workspaces",
                "/api/v1/workspaces%3Bx"
            })
    void noSpellingOfAPathGetsPastTheToken(String path) {
        for (String method : List.of("GET", "HEAD", "POST", "OPTIONS", "PUT")) {
            Api.Reply reply =
                    RawHttp.send(SERVICE, RawHttp.head(method + " " + path + " HTTP/1.1", JSON, "Content-Length: 0"));

            assertThat(reply.status()).as(method + " " + path).isIn(400, 401, 404);
        }
    }

    @TestFactory
    Stream<DynamicTest> answersThatNobodyAccepts() {
        return DOCUMENT.operations().stream()
                .filter(operation -> !operation.isStream())
                .map(operation -> DynamicTest.dynamicTest(operation.toString(), () -> {
                    String path = operation.path(_ -> UUID.randomUUID().toString());
                    String body = operation.body() == null
                            ? null
                            : DOCUMENT.sample(operation.body()).toString();
                    for (String type : List.of("text/html", "application/xml", "image/*", "text/event-stream")) {
                        USER.send(operation.method(), path, body, "Accept", type)
                                .expectProblem(406, "NOT_ACCEPTABLE");
                    }
                }));
    }

    static Stream<String> noHttp() {
        List<String> requests = new ArrayList<>(List.of(
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Bad Header"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "X: \u0000"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Content-Length: abc"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", "Content-Length: -1"),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", TOKEN, "Content-Length: 5", "Content-Length: 6"),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", TOKEN, "Content-Length: 99999999999999999999999"),
                RawHttp.head("GET /% HTTP/1.1", TOKEN),
                RawHttp.head("GET /api/v1/workspaces?x=%zz HTTP/1.1", TOKEN),
                RawHttp.head("GET /api/v1/work spaces HTTP/1.1", TOKEN),
                RawHttp.head("GET /\u00ff HTTP/1.1", TOKEN),
                "GET / HTTP/1.1\r\n\r\n",
                "GET\r\n\r\n",
                "GET / SPDY/9\r\n\r\n",
                "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n"));
        return requests.stream();
    }

    @ParameterizedTest
    @MethodSource("noHttp")
    void whatIsNoHttp(String request) {
        Api.Reply reply = RawHttp.send(SERVICE, request);

        assertThat(reply.status()).as(request).isBetween(400, 499);
        assertThat(reply.text()).doesNotContain("Exception", "stack", "io.vertx");
    }

    @Test
    void aBrokenChunkIsNoReasonToFail() {
        String head = RawHttp.head("POST /api/v1/workspaces HTTP/1.1", TOKEN, JSON, "Transfer-Encoding: chunked");

        assertThat(RawHttp.send(SERVICE, head + "zz\r\n").status()).isIn(0, 400);
    }

    @Test
    void anEmptyChunkedBodyIsNoBody() {
        String head = RawHttp.head("POST /api/v1/workspaces HTTP/1.1", TOKEN, JSON, "Transfer-Encoding: chunked");

        JsonNode problem = RawHttp.send(SERVICE, head + "0\r\n\r\n").expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.at("/fields/body").asText()).isNotEmpty();
    }
}
