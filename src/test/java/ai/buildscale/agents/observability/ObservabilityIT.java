package ai.buildscale.agents.observability;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.engine.llm.FakeAnswer;
import ai.buildscale.agents.engine.llm.FakeOpenAi;
import ai.buildscale.agents.observability.PromQl.Condition;
import ai.buildscale.agents.observability.PromQl.Selector;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Metrics;
import ai.buildscale.agents.testing.Metrics.Sample;
import ai.buildscale.agents.testing.OpenApi;
import ai.buildscale.agents.testing.RawHttp;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The metrics that alerts and dashboard name are there, and before anything has happened: one that appears with the first
 * failure cannot be alerted on. None has a label that grows with sessions, callers or what callers make up.
 */
class ObservabilityIT {
    private static final Set<String> SWEEPS = Set.of(
            "sessions",
            "sessions-retention",
            "events-retention",
            "housekeeping",
            "late-commands",
            "chats",
            "agent-hosts");

    /** What Prometheus itself adds. */
    private static final Set<String> OF_PROMETHEUS = Set.of("job", "namespace", "instance");

    /** The first words of this service's own metrics. */
    private static final Pattern OURS = Pattern.compile(
            "(server|fleet|sessions|events|chat|llm|sweep|database|requests|issuer|process_resident)_.*");

    private static final Set<String> OUR_LABELS =
            Set.of("reason", "status", "outcome", "sweep", "command", "fenced", "model", "kind");

    /** Ids, hashes, addresses, times. */
    private static final Pattern UNBOUNDED =
            Pattern.compile(".*([0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}|\\d{7}|\\d+\\.\\d+\\.\\d+\\.\\d+).*");

    private static FakeOpenAi provider;
    private static Service service;
    private static Metrics atRest;
    private static Metrics afterwards;

    @BeforeAll
    static void start() {
        provider = FakeOpenAi.start();
        service = Service.start(Map.of(
                "llm.models.fake.provider", "openai",
                "llm.models.fake.base-url", provider.baseUrl(),
                "llm.models.fake.api-key", "sk-secret"));
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .until(() -> labels(Metrics.of(service), "sweep_age_seconds", "sweep")
                        .equals(SWEEPS));
        atRest = Metrics.of(service);
        Api owner = Api.user(service);
        doALittleOfEverything(owner);
        doWhatNobodyShould(owner);
        afterwards = Metrics.of(service);
    }

    @AfterAll
    static void stop() {
        service.close();
        provider.close();
    }

    private static void doALittleOfEverything(Api owner) {
        String workspace = owner.newWorkspace();
        try (SseStream stream = owner.stream("/workspaces/" + workspace + "/events?snapshot=true")) {
            String session = owner.newSession(workspace).get("id").asText();
            owner.command(session, "start", "{}").expect(200);
            owner.command(session, "pause?wait=10", "{}").expect(200);
            owner.command(session, "resume?wait=10", "{}").expect(200);
            owner.delete("/agent-sessions/" + session + "?wait=10").expect(200);
            stream.awaitStatus("cancelled");
        }
        String outside = owner.newExternalSession(workspace).get("id").asText();
        owner.command(outside, "heartbeat", "{\"epoch\":1}").expect(200);
        talk(owner, workspace, "scripted");
        provider.then(FakeAnswer.says("Hello"));
        talk(owner, workspace, "fake");
        assertThat(owner.post(
                                "/workspaces/" + workspace + "/agent-sessions",
                                "{\"agent_type\":\"builder\",\"model\":\"m\",\"requires\":{\"gpu\":\"none has it\"}}")
                        .status())
                .isEqualTo(503);
    }

    private static void talk(Api owner, String workspace, String model) {
        JsonNode chat = owner.post("/workspaces/" + workspace + "/chats", "{\"model\":\"" + model + "\"}")
                .expect(201);
        String path =
                "/workspaces/" + workspace + "/chats/" + chat.get("chat_id").asText();
        try (SseStream stream = owner.stream(path + "/events")) {
            owner.post(path, "{\"content\":\"Hi\"}").expect(202);
            stream.await(event -> event.type().equals("done"));
        }
    }

    /** Addresses and methods that callers make up, with a token and without, until something turns them away. */
    private static void doWhatNobodyShould(Api owner) {
        Api nobody = Api.withToken(service, null, null);
        assertThat(nobody.get("/workspaces/" + UUID.randomUUID()).status()).isEqualTo(401);
        assertThat(nobody.get("/nowhere/" + UUID.randomUUID()).status()).isEqualTo(401);
        assertThat(owner.get("/nowhere/" + UUID.randomUUID()).status()).isEqualTo(404);
        assertThat(owner.get("/agent-sessions/" + UUID.randomUUID()).status()).isEqualTo(404);
        assertThat(owner.get("/agent-sessions/" + UUID.randomUUID() + "/nothing")
                        .status())
                .isEqualTo(404);
        assertThat(owner.send("PUT", "/agent-sessions/" + UUID.randomUUID(), "{}")
                        .status())
                .isEqualTo(405);
        assertThat(owner.get("/workspaces/no-uuid-" + System.nanoTime()).status())
                .isGreaterThanOrEqualTo(400);
        for (String requestLine : List.of(
                "GET /" + UUID.randomUUID(),
                "GET /" + UUID.randomUUID() + "%zz",
                "GET /api/v1/workspaces;" + UUID.randomUUID(),
                "POST /api/v1/" + UUID.randomUUID(),
                "OPTIONS /api/v1/" + UUID.randomUUID(),
                "BREW" + System.nanoTime() + " /api/v1/workspaces",
                "BREW" + System.nanoTime() + " /" + UUID.randomUUID())) {
            assertThat(RawHttp.send(service, RawHttp.head(requestLine + " HTTP/1.1"))
                            .status())
                    .as(requestLine)
                    .isGreaterThanOrEqualTo(400);
        }
        String tooLarge = RawHttp.head("POST /api/v1/" + UUID.randomUUID() + " HTTP/1.1", "Content-Length: 99999999");
        assertThat(RawHttp.send(service, tooLarge).status()).isEqualTo(413);
    }

    private static Stream<Sample> of(Metrics metrics, String name) {
        return metrics.samples().stream().filter(sample -> sample.name().equals(name));
    }

    private static Set<String> labels(Metrics metrics, String name, String label) {
        return of(metrics, name).map(sample -> sample.labels().get(label)).collect(Collectors.toSet());
    }

    static Set<Map.Entry<String, String>> expressions() {
        return Deployed.expressions().entrySet();
    }

    /** Requests are measured by endpoint and status, so that there is none before the first. */
    private static Metrics asTheyShouldBe(Selector selector) {
        return selector.metric().startsWith("http_server_requests_") ? afterwards : atRest;
    }

    @ParameterizedTest
    @MethodSource("expressions")
    void theMetricsExistBeforeAnythingHappens(Map.Entry<String, String> expression) {
        for (Selector selector : PromQl.read(expression.getValue()).selectors()) {
            if (selector.metric().equals("up") || (selector.metric().startsWith("jvm_") && Service.isNative())) {
                continue;
            }
            Metrics metrics = asTheyShouldBe(selector);
            assertThat(of(metrics, selector.metric())).as(selector.metric()).isNotEmpty();
            for (Condition condition : selector.conditions()) {
                if (!OF_PROMETHEUS.contains(condition.label())) {
                    assertThat(labels(metrics, selector.metric(), condition.label()))
                            .as(selector.metric() + " " + condition)
                            .doesNotContainNull()
                            .matches(values -> values.stream().anyMatch(condition::matches));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("expressions")
    void theMetricsHaveTheLabelsThatTheyAreGroupedBy(Map.Entry<String, String> expression) {
        PromQl read = PromQl.read(expression.getValue());
        Set<String> there = new HashSet<>(OF_PROMETHEUS);
        read.selectors()
                .forEach(selector -> of(asTheyShouldBe(selector), selector.metric())
                        .forEach(sample -> there.addAll(sample.labels().keySet())));

        assertThat(there).containsAll(read.groupings());
    }

    @Test
    void whatHappenedWasCounted() {
        assertThat(afterwards.value("sessions_created_total") - atRest.value("sessions_created_total"))
                .isEqualTo(4);
        assertThat(afterwards.value("sessions_heartbeats_total")).isPositive();
        for (String command : List.of("pause", "resume", "cancel")) {
            assertThat(afterwards.value(
                            "sessions_command_time_seconds_count", "command=\"" + command + "\"", "fenced=\"false\""))
                    .as(command)
                    .isPositive();
        }
        assertThat(afterwards.value("chat_turns_total", "outcome=\"done\"")).isEqualTo(2);
        assertThat(afterwards.value("llm_requests_total", "outcome=\"ok\"")).isEqualTo(1);
        assertThat(afterwards.value("server_owns")).isEqualTo(1);
        assertThat(afterwards.value("server_ready")).isEqualTo(1);
        assertThat(afterwards.value("process_resident_memory_bytes")).isGreaterThan(10e6);
    }

    @Test
    void whatAlertsWaitForIsZeroAtFirst() {
        for (String failure : List.of(
                "fleet_servers_lost_total",
                "server_fenced_total",
                "server_demoted_total",
                "server_writes_fenced_total",
                "sessions_ended_total",
                "sessions_stalled_total",
                "events_streams_slow_total",
                "vertx_http_connections_rejected_total")) {
            assertThat(of(atRest, failure)).as(failure).isNotEmpty().allMatch(sample -> sample.value() == 0);
        }
        assertThat(labels(atRest, "database_unavailable_total", "reason"))
                .containsExactlyInAnyOrder(
                        "connection",
                        "timeout",
                        "pool",
                        "full",
                        "refused",
                        "stopping",
                        "read_only",
                        "contention",
                        "broken");
        assertThat(labels(atRest, "database_connections_given_up_total", "reason"))
                .containsExactlyInAnyOrder("silent", "read_only");
        assertThat(labels(atRest, "events_streams_refused_total", "reason")).contains("full", "draining");
        assertThat(labels(atRest, "chat_turns_total", "outcome")).contains("failed");
        assertThat(labels(atRest, "llm_requests_total", "outcome")).contains("ok", "shut", "unavailable");
        assertThat(labels(atRest, "server_migrated_total", "reason"))
                .containsExactlyInAnyOrder("requested", "drain", "rebalance");
    }

    @Test
    void ourLabelsAreFew() {
        assertThat(afterwards.samples())
                .filteredOn(sample -> OURS.matcher(sample.name()).matches())
                .hasSizeBetween(60, 150)
                .allSatisfy(sample -> assertThat(OUR_LABELS)
                        .as(sample.name())
                        .containsAll(sample.labels().keySet()));
    }

    @Test
    void noLabelGrowsWithIdsOrCallers() {
        assertThat(afterwards.samples())
                .allSatisfy(sample -> assertThat(sample.labels().values())
                        .as(sample.name())
                        .noneMatch(value -> UNBOUNDED.matcher(value).matches()));
    }

    @Test
    void requestsAreMeasuredByEndpoint() {
        Set<String> known = OpenApi.of(service).operations().stream()
                .map(OpenApi.Operation::path)
                .collect(Collectors.toSet());
        known.add("/unmatched");

        assertThat(known).containsAll(labels(afterwards, "http_server_requests_seconds_count", "uri"));
        assertThat(labels(afterwards, "http_server_requests_seconds_count", "method"))
                .isSubsetOf("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
        for (String status : List.of("401", "404", "405", "400", "413")) {
            assertThat(afterwards.value(
                            "http_server_requests_seconds_count", "uri=\"/unmatched\"", "status=\"" + status + "\""))
                    .as(status)
                    .isPositive();
        }
        assertThat(afterwards.value(
                        "http_server_requests_seconds_count", "uri=\"/api/v1/agent-sessions/{id}\"", "status=\"404\""))
                .as("what an endpoint refuses is its own")
                .isEqualTo(1);
    }
}
