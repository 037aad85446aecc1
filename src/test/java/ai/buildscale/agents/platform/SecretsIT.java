package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.engine.llm.FakeAnswer;
import ai.buildscale.agents.engine.llm.FakeOpenAi;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * What must stay secret (the database's password, keys of models, tokens) is neither logged, however much is, nor
 * answered, nor told in an event; whatever goes wrong.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SecretsIT {
    private static final String PASSWORD = "db-Pa:ss/w@rd-4711";
    private static final String MODEL_KEY = "sk-model-key-8a1f";
    private static final String ROLE = "careful_" + ProcessHandle.current().pid();
    private static final Map<String, String> TALKATIVE = Map.of("quarkus.log.level", "DEBUG");

    private static final Map<String, String> SECRETS = new HashMap<>();
    private static final List<String> HEARD = new ArrayList<>();

    private static FakeOpenAi provider;
    private static String database;
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        Postgres.execute(
                Postgres.shared().url("postgres"), "create role " + ROLE + " login password '" + PASSWORD + "'");
        String empty = Postgres.newDatabase();
        String name = empty.substring(empty.lastIndexOf('/') + 1);
        Postgres.execute(empty, "alter database " + name + " owner to " + ROLE);
        String encoded = URLEncoder.encode(PASSWORD, StandardCharsets.UTF_8);
        database = "postgresql://" + ROLE + ":" + encoded + "@127.0.0.1:"
                + Postgres.shared().port() + "/" + name;
        secret("the database's password", PASSWORD);
        secret("the database's password in a URL", encoded);
        secret("a model's key", MODEL_KEY);

        provider = FakeOpenAi.start();
        Map<String, String> settings = new HashMap<>(TALKATIVE);
        settings.putAll(Map.of(
                "llm.models.fake.provider", "openai",
                "llm.models.fake.base-url", provider.baseUrl(),
                "llm.models.fake.api-key", MODEL_KEY,
                "llm.models.fake.timeout", "1S",
                "llm.retry-delay", "0.1S"));
        service = Service.start(database, settings);
        owner = user();
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        service.close();
        provider.close();
    }

    @AfterEach
    void nothingWasTold() {
        assertNoSecret("the log", service.log());
        assertNoSecret("what was answered", String.join("\n", HEARD));
        HEARD.clear();
    }

    private static void secret(String what, String value) {
        SECRETS.put(what, value);
    }

    private static void assertNoSecret(String where, String text) {
        SECRETS.forEach((what, value) -> {
            int at = text.indexOf(value);
            assertThat(at < 0 ? "" : text.substring(Math.max(0, at - 300), Math.min(text.length(), at + 100)))
                    .as(what + " in " + where)
                    .isEmpty();
        });
    }

    private static Api user(String... groups) {
        return with(Tokens.of(UUID.randomUUID(), groups), service);
    }

    /** Somebody with this token, which is a secret from now on; its signature alone would be enough to forge it. */
    private static Api with(String token, Service service) {
        secret("the token " + SECRETS.size(), token);
        String signature = token.substring(token.lastIndexOf('.') + 1);
        if (signature.length() > 20) {
            secret("the signature of token " + SECRETS.size(), signature);
        }
        return Api.withToken(service, UUID.randomUUID(), token);
    }

    private static Api.Reply hear(Api.Reply reply) {
        HEARD.add(reply.headers().map() + " " + reply.text());
        return reply;
    }

    private static void hear(SseStream stream) {
        stream.events().forEach(event -> HEARD.add(event.data().toString()));
        HEARD.addAll(stream.comments());
    }

    private static String streamToken(Api who, String path) {
        // the one answer that is meant to hold a secret
        String token = who.post("/stream-tokens", "{\"path\":\"/api/v1" + path + "\"}")
                .expect(200)
                .get("stream_token")
                .asText();
        secret("the stream token " + SECRETS.size(), token);
        return token;
    }

    @Test
    @Order(1)
    void whileAllGoesWell() {
        String events = "/workspaces/" + workspace + "/events";
        try (SseStream byHeader = owner.stream(events + "?snapshot=true");
                SseStream byToken = Api.withToken(service, null, null).stream(
                        events + "?snapshot=true&stream_token=" + streamToken(owner, events))) {
            JsonNode session = hear(owner.post(
                            "/workspaces/" + workspace + "/agent-sessions",
                            "{\"agent_type\":\"assistant\",\"model\":\"m\",\"task\":\"t\"}",
                            "Idempotency-Key",
                            "once"))
                    .expect(201)
                    .get("session");
            String path = "/agent-sessions/" + session.get("id").asText();
            hear(owner.post(path + "/start", "{}")).expect(200);
            hear(owner.post(path + "/pause?wait=10", "{}")).expect(200);
            hear(owner.post(path + "/resume", "{}")).expect(200);
            hear(owner.delete(path)).expect(200);
            hear(owner.get(path + "/events")).expect(200);
            hear(owner.get(path + "/commands")).expect(200);
            byToken.awaitStatus("cancelled");
            byHeader.awaitStatus("cancelled");
            hear(byToken);
            hear(byHeader);
        }
        Api operator = user("admin");
        for (String path : List.of("/servers", "/workspaces", "/q/health", "/q/metrics", "/q/openapi")) {
            hear(operator.get(path));
        }
        Api host = user("agent-host", "admin");
        hear(host.post("/agent-hosts", "{\"name\":\"h\"}")).expect(201);
    }

    @Test
    @Order(2)
    void whileModelsAnswerAndRefuse() {
        String said = "{\"error\":\"Incorrect API key provided: " + MODEL_KEY + ", in Bearer " + MODEL_KEY + "\"}";
        talk(FakeAnswer.says("Hello"), "idle");
        for (int status : new int[] {400, 401, 404, 422}) {
            talk(FakeAnswer.status(status).body(said), "error");
        }
        for (int i = 0; i < 3; i++) {
            provider.then(FakeAnswer.status(500).body(said));
        }
        talk(FakeAnswer.status(500).body(said), "error");
        talk(FakeAnswer.says("One").raw("data: {" + said + "\n\n"), "error");
    }

    private static void talk(FakeAnswer answer, String ends) {
        provider.then(answer);
        JsonNode chat = hear(owner.post("/workspaces/" + workspace + "/chats", "{\"model\":\"fake\"}"))
                .expect(201);
        String path =
                "/workspaces/" + workspace + "/chats/" + chat.get("chat_id").asText();
        String session = chat.get("session_id").asText();
        try (SseStream stream = owner.stream(path + "/events")) {
            hear(owner.post(path, "{\"content\":\"Hi\"}")).expect(202);
            stream.awaitStatus("running");
            stream.awaitStatus(ends);
            hear(stream);
        }
        hear(owner.get(path)).expect(200);
        hear(owner.get("/agent-sessions/" + session + "/events")).expect(200);
        assertThat(provider.lastAsked().authorization()).isEqualTo("Bearer " + MODEL_KEY);
    }

    @Test
    @Order(3)
    void whenCallersAreRefused() {
        UUID user = UUID.randomUUID();
        String good = Tokens.of(user);
        String foreign = new DevKeys(Path.of("target/it-keys-of-others").toAbsolutePath())
                .token(user, Set.of(), Duration.ofHours(1));
        List<String> tokens = List.of(
                foreign,
                Tokens.of(user, Duration.ofHours(-1)),
                good.substring(0, good.length() - 4),
                good + "x",
                "x" + good,
                good.replace('.', '-'),
                "an-opaque-token-of-another-service");
        for (String token : tokens) {
            Api stranger = with(token, service);
            hear(stranger.get("/workspaces")).expectProblem(401, "INVALID_TOKEN");
            hear(stranger.post("/workspaces", "{\"name\":\"x\"}")).expectProblem(401, "INVALID_TOKEN");
            hear(stranger.get("/workspaces/" + workspace + "/events?stream_token=" + token))
                    .expectProblem(401, "INVALID_TOKEN");
        }
        secret("a basic password", "c2VjcmV0OnNlY3JldA==");
        hear(Api.withToken(service, null, null).get("/workspaces", "Authorization", "Basic c2VjcmV0OnNlY3JldA=="))
                .expectProblem(401, "INVALID_TOKEN");
    }

    @Test
    @Order(4)
    void whenRequestsCannotBeRead() {
        String events = "/workspaces/" + workspace + "/events";
        String query = "?stream_token=" + streamToken(owner, events);
        Api nobody = Api.withToken(service, null, null);
        for (String path : List.of(
                events + query + "&last_event_id=x",
                events + query + "&limit=%",
                events + ";a=b" + query,
                events + query + "&x=" + "x".repeat(9_000),
                "/workspaces" + query,
                "/workspaces/x/events" + query,
                "/nowhere" + query,
                "/api/v1/../x" + query)) {
            hear(RawHttp.send(service, RawHttp.head("GET /api/v1" + path + " HTTP/1.1")));
        }
        hear(nobody.send("PUT", events + query, "{}"));
        hear(nobody.get(events + query, "X-Large", "x".repeat(20_000)));
        String bearer = "Authorization: Bearer " + owner.token();
        for (String request : List.of(
                RawHttp.head("GET /api/v1/workspaces HTTP/9.9", bearer),
                RawHttp.head("GET  HTTP/1.1", bearer),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", bearer, "Broken header " + owner.token()),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", bearer, "Content-Length: -1"),
                RawHttp.head("POST /api/v1/workspaces HTTP/1.1", bearer, "Content-Length: 99999999"),
                RawHttp.head("GET /api/v1/workspaces HTTP/1.1", bearer, "X: " + "x".repeat(200_000)))) {
            HEARD.add(RawHttp.everything(service, out -> out.write(request.getBytes(StandardCharsets.ISO_8859_1))));
        }
        hear(owner.post("/workspaces", "{\"name\":")).expectProblem(400, "VALIDATION_ERROR");
        hear(owner.post("/workspaces", "{\"name\":\"a\",\"password\":1}")).expectProblem(400, "VALIDATION_ERROR");
        hear(user().get("/workspaces/" + workspace)).expectProblem(403, "FORBIDDEN");
    }

    @Test
    @Order(5)
    void whenSomethingBreaksInside() {
        Postgres.execute(database, "alter table workspaces rename to hidden");
        try {
            hear(owner.get("/workspaces")).expectProblem(500, "INTERNAL_ERROR");
            hear(owner.post("/workspaces", "{\"name\":\"x\"}", "Idempotency-Key", "k"))
                    .expectProblem(500, "INTERNAL_ERROR");
        } finally {
            Postgres.execute(database, "alter table hidden rename to workspaces");
        }
    }

    @Test
    @Order(6)
    void whenTheDatabaseRefusesThePassword() {
        String server = Postgres.shared().url("postgres");
        Postgres.execute(server, "alter role " + ROLE + " password 'another'");
        Postgres.query(server, "select pg_terminate_backend(pid) from pg_stat_activity where usename = '" + ROLE + "'");

        await().atMost(Duration.ofSeconds(20))
                .until(() -> hear(owner.get("/workspaces")).status() == 503);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> hear(owner.get("/q/health/ready")).status() == 503);
        try (Service late = Service.launch(database, TALKATIVE)) {
            await().atMost(Duration.ofSeconds(30)).until(() -> late.log().contains("password authentication failed"));
            assertNoSecret("the log of one that starts", late.log());
        }
    }

    @Test
    @Order(7)
    void whenItIsMisconfigured() throws InterruptedException {
        secret("a password in an address", "key-server-pass-33");
        String fine = Postgres.newDatabase();
        ends(database.replace("@127", "@@127"), Map.of());
        ends("mysql://root:" + PASSWORD + "@127.0.0.1/x", Map.of());
        ends(
                fine,
                Map.of(
                        "llm.models.fake.provider",
                        "openai",
                        "llm.models.fake.base-url",
                        "http://user:key-server-pass-33@127.0.0.1:1/v1",
                        "llm.models.fake.api-key",
                        MODEL_KEY));
        String keys = "http://user:key-server-pass-33@127.0.0.1:" + Service.freePort() + "/jwks";
        // at DEBUG smallrye-jwt prints its configuration
        try (Service unkeyed = Service.start(fine, Map.of("mp.jwt.verify.publickey.location", keys))) {
            hear(with(Tokens.of(UUID.randomUUID()), unkeyed).get("/workspaces")).expectProblem(503, "UNAVAILABLE");
            assertNoSecret("the log of one without keys", unkeyed.log());
        }
    }

    @Test
    @Order(8)
    void whenTracesCannotBeSent() {
        secret("a collector's key", "collector-key-52");
        secret("a collector's password", "collector-pass-61");
        Map<String, String> settings = new HashMap<>(TALKATIVE);
        settings.put("otel.exporter.otlp.endpoint", "http://user:collector-pass-61@127.0.0.1:" + Service.freePort());
        settings.put("quarkus.otel.exporter.otlp.headers", "authorization=Bearer collector-key-52");
        try (Service traced = Service.start(Postgres.newDatabase(), settings)) {
            hear(with(Tokens.of(UUID.randomUUID()), traced).get("/workspaces")).expect(200);
            await().atMost(Duration.ofSeconds(30)).until(() -> traced.log().contains("Failed to export"));
            assertNoSecret("the log of one whose traces go nowhere", traced.log());
        }
    }

    /** It says why it does not start, and ends. */
    private static void ends(String databaseUrl, Map<String, String> more) throws InterruptedException {
        Map<String, String> settings = new HashMap<>(TALKATIVE);
        settings.putAll(more);
        try (Service broken = Service.launch(databaseUrl, settings)) {
            for (int i = 0; i < 600 && broken.isAlive(); i++) {
                TimeUnit.MILLISECONDS.sleep(50);
            }
            assertThat(broken.isAlive()).as(broken.log()).isFalse();
            assertThat(broken.log()).isNotEmpty();
            assertNoSecret("the log of one that does not start", broken.log());
        }
    }
}
