package ai.buildscale.agents.chat;

import static ai.buildscale.agents.testing.Servers.await;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.llm.FakeAnswer;
import ai.buildscale.agents.engine.llm.FakeOpenAi;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Collector;
import ai.buildscale.agents.testing.Collector.Span;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What one request causes, wherever it is done, is one trace. People are at the first server, agents on the second. */
class TracesIT {
    private static final String SECRET = "sk-secret";
    private static final String WORDS = "Something confidential";

    private static Collector collector;
    private static FakeOpenAi provider;
    private static Servers servers;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void start() {
        collector = Collector.start();
        provider = FakeOpenAi.start();
        Map<String, String> settings = new HashMap<>(collector.settings());
        settings.putAll(Map.of(
                "quarkus.log.console.json.enabled",
                "true",
                "llm.models.fake.provider",
                "openai",
                "llm.models.fake.base-url",
                provider.baseUrl(),
                "llm.models.fake.model",
                "fake-5",
                "llm.models.fake.api-key",
                SECRET));
        servers = Servers.start(2, settings);
        owner = Api.user(servers.get(1));
        workspace = owner.newWorkspace();
    }

    @AfterAll
    static void stop() {
        servers.close();
        provider.close();
        collector.close();
    }

    /** The caller's own span, as it tells of it. */
    private record Caller(String traceId, String id) {
        static Caller begin() {
            return new Caller(
                    UUID.randomUUID().toString().replace("-", ""),
                    UUID.randomUUID().toString().substring(24));
        }

        String traceparent() {
            return "00-" + traceId + "-0000" + id + "-01";
        }

        /** The span of the trace with this name, once it has come. */
        Span await(String name) {
            Servers.await().until(() -> found(name).size() == 1);
            return found(name).getFirst();
        }

        List<Span> found(String name) {
            return collector.spans(traceId).stream()
                    .filter(span -> span.name().equals(name))
                    .toList();
        }
    }

    /** A chat whose agent lives on the second server. */
    private static Talk talk(String type, String model) {
        while (true) {
            Talk talk = Talk.begin(
                    owner, workspace, "{\"agent_type\":\"" + type + "\",\"model\":\"" + model + "\",\"goal\":\"g\"}");
            if (talk.session().get("server_hostname").asText().equals("s2")) {
                return talk;
            }
        }
    }

    private static Caller say(Talk talk, String words) {
        Caller caller = Caller.begin();
        owner.post(
                        talk.path(),
                        Api.JSON.createObjectNode().put("content", words).toString(),
                        "traceparent",
                        caller.traceparent())
                .expect(202);
        return caller;
    }

    @Test
    void aCommandIsOneTraceFromItsRequestToTheOwnerOfItsSession() {
        String id = servers.sessionsOn(2, 1, owner, workspace).getFirst();
        owner.command(id, "start", "{}").expect(200);
        Caller caller = Caller.begin();

        owner.post("/agent-sessions/" + id + "/pause?wait=10", "{}", "traceparent", caller.traceparent())
                .expect(200);

        Span request = caller.await("POST /api/v1/agent-sessions/{id}/pause");
        assertThat(request.host()).isEqualTo("s1");
        assertThat(request.kind()).isEqualTo("SERVER");
        assertThat(request.parentId()).isEqualTo("0000" + caller.id());
        Span command = caller.await("command pause");
        assertThat(command.host()).isEqualTo("s2");
        assertThat(command.kind()).isEqualTo("CONSUMER");
        assertThat(command.parentId()).isEqualTo(request.id());
        assertThat(command.attributes())
                .containsEntry("gen_ai.conversation.id", id)
                .containsEntry("agent_sessions.epoch", "1");
        assertThat(command.events()).containsExactly("obeyed");
        assertThat(command.failed()).isFalse();
        assertThat(collector.spans(caller.traceId()))
                .as("statements are not traced")
                .hasSize(2);
    }

    @Test
    void aMigrationGoesOnWithTheTraceOfWhoAskedForIt() {
        String id = servers.sessionsOn(2, 1, owner, workspace).getFirst();
        Caller caller = Caller.begin();
        Api operator = servers.operator();

        operator.post("/agent-sessions/" + id + "/migrate", "{}", "traceparent", caller.traceparent())
                .expect(200);

        assertThat(caller.await("command migrate").host()).isEqualTo("s2");
    }

    @Test
    void aTurnIsOneTraceFromItsMessageToTheModelAndItsTools() {
        Talk talk = talk("builder", "fake");
        provider.then(
                FakeAnswer.calls("current_time", "{}").uses(10, 2),
                FakeAnswer.says("It is late, and " + WORDS).uses(12, 5));

        Caller caller = say(talk, WORDS);

        Span agent = caller.await("invoke_agent builder");
        Span request = caller.await("POST /api/v1/workspaces/{workspaceId}/chats/{chatId}");
        assertThat(request.host()).isEqualTo("s1");
        assertThat(agent.host()).isEqualTo("s2");
        assertThat(agent.parentId()).isEqualTo(request.id());
        assertThat(agent.kind()).isEqualTo("INTERNAL");
        assertThat(agent.failed()).isFalse();
        assertThat(agent.attributes())
                .containsEntry("gen_ai.operation.name", "invoke_agent")
                .containsEntry("gen_ai.agent.name", "builder")
                .containsEntry("gen_ai.conversation.id", talk.sessionId())
                .containsEntry("gen_ai.provider.name", "openai")
                .containsEntry("gen_ai.request.model", "fake")
                .containsEntry("gen_ai.usage.input_tokens", "22")
                .containsEntry("gen_ai.usage.output_tokens", "7")
                .containsEntry("agent_sessions.ending", "done")
                .doesNotContainKey("error.type");
        await().until(() -> caller.found("chat fake-5").size() == 2);
        for (Span chat : caller.found("chat fake-5")) {
            assertThat(chat.parentId()).isEqualTo(agent.id());
            assertThat(chat.kind()).isEqualTo("CLIENT");
            assertThat(chat.failed()).isFalse();
            assertThat(chat.attributes())
                    .containsEntry("gen_ai.operation.name", "chat")
                    .containsEntry("gen_ai.provider.name", "openai")
                    .containsEntry("gen_ai.request.model", "fake-5")
                    .containsEntry("gen_ai.request.stream", "true")
                    .containsEntry("gen_ai.conversation.id", talk.sessionId())
                    .containsEntry("server.address", "127.0.0.1")
                    .containsKeys("server.port", "gen_ai.response.time_to_first_chunk");
        }
        assertThat(caller.found("chat fake-5"))
                .extracting(chat -> chat.attributes().get("gen_ai.usage.output_tokens"))
                .containsExactlyInAnyOrder("2", "5");
        Span tool = caller.await("execute_tool current_time");
        assertThat(tool.parentId()).isEqualTo(agent.id());
        assertThat(tool.attributes())
                .containsEntry("gen_ai.operation.name", "execute_tool")
                .containsEntry("gen_ai.tool.name", "current_time")
                .containsKey("gen_ai.tool.call.id");
        assertThat(collector.spans(caller.traceId())).hasSize(5);
        assertThat(collector.spans(caller.traceId()).toString()).doesNotContain(WORDS, SECRET, owner.token());
    }

    @Test
    void whatFailsSaysSoAndTheLogNamesItsTrace() {
        Talk talk = talk("assistant", "fake");
        provider.then(FakeAnswer.status(401));

        Caller caller = say(talk, WORDS);

        Span agent = caller.await("invoke_agent assistant");
        assertThat(agent.failed()).isTrue();
        assertThat(agent.attributes())
                .containsEntry("agent_sessions.ending", "failed")
                .containsEntry("error.type", "ai.buildscale.agents.engine.EngineFailure");
        Span chat = caller.await("chat fake-5");
        assertThat(chat.failed()).isTrue();
        assertThat(chat.attributes()).containsEntry("error.type", "denied");
        List<JsonNode> lines = servers.get(2)
                .log()
                .lines()
                .filter(line -> line.contains(caller.traceId()))
                .map(TracesIT::json)
                .toList();
        assertThat(lines).isNotEmpty().allSatisfy(line -> {
            assertThat(line.at("/mdc/traceId").asText()).isEqualTo(caller.traceId());
            assertThat(line.get("message").asText()).contains(talk.sessionId());
        });
    }

    private static JsonNode json(String line) {
        try {
            return Api.JSON.readTree(line);
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new AssertionError(line, e);
        }
    }

    @Test
    void aTurnThatIsHandedOverStaysInItsTrace() {
        Talk talk = talk("assistant", "scripted");
        Caller caller;
        try (SseStream stream = talk.stream()) {
            caller = say(talk, "/delay 1s\none two three four five six seven eight");
            await().until(() -> Talk.shown(stream, null).contains("two"));
            servers.operator()
                    .post(
                            "/agent-sessions/" + talk.sessionId() + "/migrate",
                            "{\"server_id\":\"" + servers.id(1) + "\"}")
                    .expect(200);
            stream.await(event -> event.type().equals("done"));
        }

        await().until(() -> caller.found("invoke_agent assistant").size() == 2);
        assertThat(caller.found("invoke_agent assistant"))
                .extracting(span -> span.host() + " " + span.attributes().get("agent_sessions.ending"))
                .containsExactlyInAnyOrder("s2 parked", "s1 done");
    }

    @Test
    void theTokenOfAStreamIsInNoTrace() {
        String path = "/workspaces/" + workspace + "/events";
        String token = owner.post("/stream-tokens", "{\"path\":\"/api/v1" + path + "\"}")
                .expect(200)
                .get("stream_token")
                .asText();
        Caller caller = Caller.begin();
        try (SseStream stream = Api.withToken(servers.get(1), owner.userId(), null).stream(
                path + "?stream_token=" + token, "traceparent", caller.traceparent())) {
            assertThat(stream.status()).isEqualTo(200);
        }

        Span request = caller.await("GET /api/v1/workspaces/{workspaceId}/events");
        assertThat(request.attributes()).containsEntry("url.query", "REDACTED");
        assertThat(request.toString()).doesNotContain(token);
    }

    @Test
    void metricsHaveExamplesOfTheirTraces() {
        String id = owner.newSession(workspace).get("id").asText();
        Caller caller = Caller.begin();
        owner.post("/agent-sessions/" + id + "/start", "{}", "traceparent", caller.traceparent())
                .expect(200);

        assertThat(owner.get("/q/metrics", "Accept", "application/openmetrics-text; version=1.0.0; charset=utf-8")
                        .text()
                        .lines()
                        .filter(line -> line.startsWith("sessions_commands_total{")))
                .anyMatch(line -> line.contains("trace_id=\""));
    }

    @Test
    void whereTheyAreOffNothingIsKeptOrSaid() {
        Servers untraced = Servers.start(1);
        try {
            Api someone = Api.user(untraced.get(1));
            String there = someone.newWorkspace();
            Talk talk = Talk.begin(someone, there, "{}");
            Caller caller = Caller.begin();
            someone.post(talk.path(), "{\"content\":\"/say hello\"}", "traceparent", caller.traceparent())
                    .expect(202);
            await().until(() -> talk.told().contains("assistant: hello"));
            String id = someone.newSession(there).get("id").asText();
            someone.post("/agent-sessions/" + id + "/start", "{}").expect(200);
            someone.post("/agent-sessions/" + id + "/pause?wait=10", "{}", "traceparent", caller.traceparent())
                    .expect(200);
            assertThat(Postgres.query(untraced.database(), """
                            select traceparent from messages
                            union all
                            select traceparent from session_commands"""))
                    .hasSizeGreaterThan(1)
                    .allSatisfy(row -> assertThat(row.get("traceparent")).isNull());
        } finally {
            untraced.close();
        }
        assertThat(untraced.get(1).log().lines().filter(line -> !line.contains("Installed features")))
                .noneMatch(line -> line.toLowerCase(Locale.ROOT).matches(".*(telemetry|otlp).*"));
    }
}
