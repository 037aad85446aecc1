package ai.buildscale.agents.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.restassured.RestAssured;
import io.restassured.config.DecoderConfig;
import io.restassured.config.EncoderConfig;
import io.restassured.config.RedirectConfig;
import io.restassured.config.RestAssuredConfig;
import io.restassured.http.ContentType;
import io.restassured.http.Header;
import io.restassured.response.Response;
import io.restassured.specification.RequestSpecification;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * A user of the service: calls it with a token, reads JSON, and takes no answer that the API's document does not have.
 * Contract tests send their requests by REST Assured ({@link #given()}); those that speak to processes of their own by
 * the short forms. Safe for many threads.
 */
public final class Api {
    static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    public static final ObjectMapper JSON = new ObjectMapper();

    /** Requests go out as they are written, and ask for no compressed answer: its entity tag would be a weak one. */
    private static final RestAssuredConfig AS_WRITTEN = RestAssuredConfig.config()
            .encoderConfig(EncoderConfig.encoderConfig()
                    .defaultContentCharset(StandardCharsets.UTF_8)
                    .encodeContentTypeAs("application/x-www-form-urlencoded", ContentType.TEXT)
                    .appendDefaultContentCharsetToContentTypeIfUndefined(false))
            .decoderConfig(DecoderConfig.decoderConfig().noContentDecoders())
            .redirect(RedirectConfig.redirectConfig().followRedirects(false));

    private final Service service;
    private final UUID userId;
    private final String token;
    private final Duration patience;
    private final ApiContract contract;

    private Api(Service service, UUID userId, String token, Duration patience, ApiContract contract) {
        this.service = service;
        this.userId = userId;
        this.token = token;
        this.patience = patience;
        this.contract = contract;
    }

    /** A new user in these groups, of the service that Quarkus has started. */
    public static Api newUser(String... groups) {
        return user(Service.ofQuarkus(), groups);
    }

    /** A new user in these groups. */
    public static Api user(Service service, String... groups) {
        UUID userId = UUID.randomUUID();
        return withToken(service, userId, Tokens.of(userId, groups));
    }

    /** Somebody with this token (null: none). */
    public static Api withToken(Service service, UUID userId, String token) {
        return new Api(service, userId, token, Duration.ofSeconds(60), ApiContract.AS_DOCUMENTED);
    }

    /** The same user at another server. */
    public Api at(Service other) {
        return new Api(other, userId, token, patience, contract);
    }

    /** The same user, who waits this long for the beginning of an answer. */
    public Api within(Duration time) {
        return new Api(service, userId, token, time, contract);
    }

    /** The same user, to whom servers show what only newer ones know: values and events that the document does not have. */
    public Api amongNewer() {
        return new Api(service, userId, token, patience, ApiContract.AMONG_NEWER);
    }

    public UUID userId() {
        return userId;
    }

    public String token() {
        return token;
    }

    public Service service() {
        return service;
    }

    /** An answer: its status, headers and JSON (null where there is no body). */
    public record Reply(int status, HttpHeaders headers, String text) {
        /** What REST Assured has got. */
        public static Reply of(Response response) {
            Map<String, List<String>> headers = response.headers().asList().stream()
                    .collect(Collectors.groupingBy(
                            Header::getName, Collectors.mapping(Header::getValue, Collectors.toList())));
            return new Reply(response.statusCode(), HttpHeaders.of(headers, (_, _) -> true), response.asString());
        }

        public JsonNode json() {
            try {
                return text.isEmpty() ? null : JSON.readTree(text);
            } catch (JsonProcessingException e) {
                throw new AssertionError("not JSON: " + text, e);
            }
        }

        /** The JSON, if the status is this one. */
        public JsonNode expect(int expected) {
            assertThat(status).as(text).isEqualTo(expected);
            return json();
        }

        /** The JSON, if this is a well-formed problem with the status and code. */
        public JsonNode expectProblem(int expected, String code) {
            assertThat(status).as(text).isEqualTo(expected);
            assertThat(header("content-type")).startsWith("application/problem+json");
            JsonNode problem = json();
            for (String member : new String[] {"type", "title", "detail", "instance", "error"}) {
                assertThat(problem.path(member).asText())
                        .as(member + " of " + text)
                        .isNotEmpty();
            }
            assertThat(problem.path("status").asInt()).isEqualTo(expected);
            assertThat(problem.path("code").asText()).isEqualTo(code);
            return problem;
        }

        public String header(String name) {
            return headers.firstValue(name).orElse(null);
        }
    }

    /** A request below {@code /api/v1} by REST Assured, with JSON if it has a body. */
    public RequestSpecification given() {
        RequestSpecification request = RestAssured.given()
                .config(AS_WRITTEN)
                .urlEncodingEnabled(false)
                .filter(contract)
                .baseUri(service.url("/api/v1"))
                .contentType("application/json");
        return token == null ? request : request.header("Authorization", "Bearer " + token);
    }

    /** The same with an {@code Idempotency-Key}. */
    public RequestSpecification given(String idempotencyKey) {
        return given().header("Idempotency-Key", idempotencyKey);
    }

    public Reply get(String path, String... headers) {
        return send("GET", path, (byte[]) null, headers);
    }

    public Reply post(String path, String body, String... headers) {
        return send("POST", path, body, headers);
    }

    public Reply patch(String path, String body, String... headers) {
        return send("PATCH", path, body, headers);
    }

    public Reply delete(String path, String... headers) {
        return send("DELETE", path, (byte[]) null, headers);
    }

    /**
     * Sends a request below {@code /api/v1} (or to a path that begins with {@code /q/} or {@code /api/}).
     *
     * @param headers names and values in turn; a {@code Content-Type} among them replaces JSON's
     */
    public Reply send(String method, String path, String body, String... headers) {
        return send(method, path, body == null ? null : body.getBytes(StandardCharsets.UTF_8), headers);
    }

    public Reply send(String method, String path, byte[] body, String... headers) {
        try {
            HttpResponse<String> response =
                    HTTP.send(request(method, path, body, headers), HttpResponse.BodyHandlers.ofString());
            Reply reply = new Reply(response.statusCode(), response.headers(), response.body());
            contract.check(method, response.uri().getRawPath(), reply);
            return reply;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    HttpRequest request(String method, String path, byte[] body, String... headers) {
        String full = path.startsWith("/q/") || path.startsWith("/api/") ? path : "/api/v1" + path;
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(service.url(full)))
                .timeout(patience)
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(body));
        if (body != null) {
            request.setHeader("Content-Type", "application/json");
        }
        if (token != null) {
            request.setHeader("Authorization", "Bearer " + token);
        }
        for (int i = 0; i < headers.length; i += 2) {
            request.setHeader(headers[i], headers[i + 1]);
        }
        return request.build();
    }

    /** A new workspace of this user; returns its id. */
    public String newWorkspace() {
        return post("/workspaces", "{\"name\":\"A workspace\"}")
                .expect(201)
                .at("/workspace/id")
                .asText();
    }

    /** A new user in a workspace of this one. */
    public Api newMember(String workspaceId, String role) {
        Api member = user(service);
        addMember(workspaceId, member, role);
        return member;
    }

    /** Adds another user to the workspace. */
    public void addMember(String workspaceId, Api other, String role) {
        post(
                        "/workspaces/" + workspaceId + "/members",
                        "{\"user_id\":\"" + other.userId + "\",\"role\":\"" + role + "\"}")
                .expect(201);
    }

    /** A new idle session, hosted by the server, as answered. */
    public JsonNode newSession(String workspaceId) {
        return newSession(workspaceId, "{\"agent_type\":\"assistant\",\"model\":\"m\"}");
    }

    public JsonNode newSession(String workspaceId, String body) {
        return post("/workspaces/" + workspaceId + "/agent-sessions", body)
                .expect(201)
                .get("session");
    }

    /** A new session that beats for itself. */
    public JsonNode newExternalSession(String workspaceId) {
        return newSession(workspaceId, "{\"agent_type\":\"builder\",\"model\":\"m\",\"hosting\":\"external\"}");
    }

    /** Sends a command; returns the reply, whatever it is. */
    public Reply command(String sessionId, String command, String body) {
        return post("/agent-sessions/" + sessionId + "/" + command, body);
    }

    public JsonNode session(String sessionId) {
        return get("/agent-sessions/" + sessionId).expect(200).get("session");
    }

    /** The statuses that the session's history tells, in order. */
    public List<String> statuses(String sessionId) {
        List<String> statuses = new java.util.ArrayList<>();
        get("/agent-sessions/" + sessionId + "/events?limit=1000")
                .expect(200)
                .get("events")
                .forEach(event -> {
                    if (event.get("event").asText().equals("agent_status")) {
                        statuses.add(event.at("/data/status").asText());
                    }
                });
        return statuses;
    }

    /** The session's history but for what its owner says of commands, in order. */
    public List<JsonNode> changes(String sessionId) {
        return history(sessionId).stream()
                .filter(event -> !event.get("event").asText().equals("agent_command"))
                .toList();
    }

    /** The session's history, all of it, in order. */
    public List<JsonNode> history(String sessionId) {
        List<JsonNode> all = new java.util.ArrayList<>();
        for (long after = 0; ; ) {
            JsonNode page = get("/agent-sessions/" + sessionId + "/events?limit=1000&after=" + after)
                    .expect(200);
            page.get("events").forEach(all::add);
            if (page.get("events").isEmpty()) {
                return all;
            }
            after = page.get("next_after").asLong();
        }
    }

    /** Opens an SSE stream below {@code /api/v1}. */
    public SseStream stream(String path, String... headers) {
        return SseStream.open(request("GET", path, null, headers), contract);
    }
}
