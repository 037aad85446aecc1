package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.everyItem;
import static org.hamcrest.Matchers.greaterThan;
import static org.hamcrest.Matchers.hasKey;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.nullValue;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.PostgresResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.path.json.JsonPath;
import io.restassured.response.ValidatableResponse;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Beats: what keeps a session alive, what an agent learns from it, and who may send it. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class HeartbeatTest {
    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();

    private String running() {
        String id = owner.newExternalSession(workspace).get("id").asText();
        command(id, "start").statusCode(200);
        return id;
    }

    private ValidatableResponse command(Api caller, String id, String command, Object body) {
        return caller.given()
                .body(body)
                .post("/agent-sessions/{id}/{command}", id, command)
                .then();
    }

    private ValidatableResponse command(String id, String command) {
        return command(owner, id, command, Map.of());
    }

    private ValidatableResponse cancel(String id) {
        return owner.given().delete("/agent-sessions/{id}", id).then();
    }

    private ValidatableResponse beat(Api caller, String id, Object body) {
        return command(caller, id, "heartbeat", body);
    }

    private ValidatableResponse beat(String id, Object body) {
        return beat(owner, id, body);
    }

    private ValidatableResponse beat(String id, int epoch) {
        return beat(id, Map.of("epoch", epoch));
    }

    private static Map<String, Object> of(String id, int epoch) {
        return Map.of("id", id, "epoch", epoch);
    }

    private ValidatableResponse beatAll(Api caller, List<Map<String, Object>> beats) {
        return caller.given()
                .body(Map.of("beats", beats))
                .post("/agent-sessions/heartbeats")
                .then();
    }

    private ValidatableResponse read(Api caller, String id) {
        return caller.given().get("/agent-sessions/{id}", id).then().statusCode(200);
    }

    private ValidatableResponse read(String id) {
        return read(owner, id);
    }

    private Instant lastHeartbeat(Api caller, String id) {
        return Instant.parse(read(caller, id).extract().path("session.last_heartbeat"));
    }

    private Instant lastHeartbeat(String id) {
        return lastHeartbeat(owner, id);
    }

    /** Lets the session have been silent for this long. */
    private static void silent(String id, Duration since) {
        int rows = Postgres.execute(
                PostgresResource.database(),
                "update session_heartbeats set beat_at = now() - ? * interval '1 second' where session_id = ?::uuid",
                since.toSeconds(),
                id);
        assertThat(rows).isEqualTo(1);
        // its creation was a sign of life, too
        Postgres.execute(
                PostgresResource.database(),
                "update agent_sessions set created_at = now() - interval '1 hour' where id = ?::uuid",
                id);
    }

    private static void newOwner(String id) {
        Postgres.execute(
                PostgresResource.database(), "update agent_sessions set epoch = epoch + 1 where id = ?::uuid", id);
    }

    private static List<Map<String, Object>> query(String sql) {
        return Postgres.query(PostgresResource.database(), sql);
    }

    private static Instant databaseTime() {
        return ((Timestamp) query("select now() as now").getFirst().get("now")).toInstant();
    }

    @Test
    void aBeatExtendsTheLease() {
        String id = running();
        silent(id, Duration.ofSeconds(60));
        Instant before = databaseTime();

        beat(id, 1)
                .statusCode(200)
                .body("lease_extended", is(true))
                .body("ttl_seconds", is(120))
                .body("desired_status", is("running"))
                .body("epoch", is(1))
                .body("size()", is(4));

        assertThat(lastHeartbeat(id)).isAfterOrEqualTo(before);
    }

    @Test
    void aPlainBeatIsNoChange() {
        String id = running();
        Map<String, Object> before = read(id).extract().path("session");

        beat(id, 1).statusCode(200);

        read(id).body("session.version", is(before.get("version")))
                .body("session.updated_at", is(before.get("updated_at")))
                .body("session.last_progress_at", nullValue());
        assertThat(owner.statuses(id)).containsExactly("idle", "running");
    }

    @Test
    void theAgentLearnsWhatPeopleWant() {
        String id = running();

        command(id, "pause").statusCode(200);
        beat(id, 1).statusCode(200).body("desired_status", is("paused")).body("lease_extended", is(true));

        cancel(id).statusCode(200);
        beat(id, 1).statusCode(200).body("desired_status", is("cancelled")).body("lease_extended", is(false));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"true|true", "{\"step\":3}|true", "0.5|true", "\"\"|true", "false|false", "null|false"})
    void progressMovesLastProgress(String progress, boolean moves) {
        String id = running();
        silent(id, Duration.ofSeconds(60));
        Instant before = databaseTime();

        beat(id, "{\"epoch\":1,\"progress\":" + progress + "}").statusCode(200);

        String moved = read(id).extract().path("session.last_progress_at");
        if (moves) {
            assertThat(Instant.parse(moved)).isAfterOrEqualTo(before);
        } else {
            assertThat(moved).isNull();
        }
        assertThat(lastHeartbeat(id)).isAfterOrEqualTo(before);
        assertThat(owner.history(id))
                .extracting(event -> event.get("event").asText())
                .containsOnly("agent_status");
    }

    @Test
    void aBeatTellsTheTask() {
        String id = running();

        beat(id, Map.of("epoch", 1, "current_task", "Reading")).statusCode(200);
        beat(id, Map.of("epoch", 1, "current_task", "Reading")).statusCode(200);
        beat(id, Map.of("epoch", 1, "current_task", "Writing", "progress", true))
                .statusCode(200);

        read(id).body("session.current_task", is("Writing"));
        assertThat(owner.history(id).stream()
                        .filter(event -> event.get("event").asText().equals("agent_task"))
                        .map(event -> event.at("/data/task").asText()))
                .containsExactly("Reading", "Writing");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"epoch\":1}", "{\"epoch\":1,\"current_task\":\"mine\"}"})
    void anOwnerOfThePastIsFenced(String body) {
        String id = running();
        newOwner(id);
        silent(id, Duration.ofSeconds(60));
        Instant silentSince = lastHeartbeat(id);

        beat(id, body).spec(problem(409, "FENCED")).body("epoch", is(2));

        assertThat(lastHeartbeat(id)).isEqualTo(silentSince);
        read(id).body("session.current_task", nullValue());
        beat(id, 2).statusCode(200);
        assertThat(lastHeartbeat(id)).isAfter(silentSince);
    }

    @Test
    void oneAnswerForEachBeatInTheirOrder() {
        String live = running();
        String idle = owner.newExternalSession(workspace).get("id").asText();
        String paused = running();
        command(paused, "pause").statusCode(200);
        String ended = running();
        command(ended, "complete").statusCode(200);
        String fenced = running();
        newOwner(fenced);
        Api colleague = owner.newMember(workspace, "owner");
        String foreign = colleague.newExternalSession(workspace).get("id").asText();
        String hosted = owner.newSession(workspace).get("id").asText();
        String nobody = UUID.randomUUID().toString();
        for (String id : List.of(live, idle, paused, fenced, foreign)) {
            silent(id, Duration.ofSeconds(60));
        }
        Instant before = databaseTime();

        JsonPath answers = beatAll(
                        owner,
                        List.of(
                                of(ended, 1),
                                of(nobody, 1),
                                of(live, 1),
                                of(foreign, 1),
                                of(paused, 1),
                                of(live, 1),
                                of(fenced, 1),
                                of(live, 7),
                                of(hosted, 1),
                                of(idle, 1)))
                .statusCode(200)
                .body("beats", everyItem(hasKey("code")))
                .body("beats", everyItem(hasKey("desired_status")))
                .body("beats", everyItem(hasKey("epoch")))
                .extract()
                .jsonPath();

        assertThat(answers.getList("beats.id", String.class))
                .containsExactly(ended, nobody, live, foreign, paused, live, fenced, live, hosted, idle);
        assertThat(answers.getList("beats.code", String.class))
                .containsExactly(null, "NOT_FOUND", null, "FORBIDDEN", null, null, "FENCED", "FENCED", null, null);
        assertThat(answers.getList("beats.lease_extended", Boolean.class))
                .containsExactly(false, false, true, false, true, true, false, false, true, true);
        assertThat(answers.getList("beats.desired_status", String.class))
                .containsExactly("completed", null, "running", null, "paused", "running", null, null, "idle", "idle");
        assertThat(answers.getInt("beats[6].epoch")).isEqualTo(2);
        assertThat(answers.getString("beats[3].epoch"))
                .as("a stranger learns nothing")
                .isNull();
        for (String id : List.of(live, idle, paused)) {
            assertThat(lastHeartbeat(id)).isAfterOrEqualTo(before);
        }
        assertThat(lastHeartbeat(fenced)).isBefore(before.minusSeconds(50));
        assertThat(lastHeartbeat(colleague, foreign)).isBefore(before.minusSeconds(50));
    }

    @Test
    void aBatchHasAThousandBeatsAtMost() {
        String id = running();
        beatAll(owner, Collections.nCopies(1_000, of(id, 1)))
                .statusCode(200)
                .body("beats", hasSize(1_000))
                .body("beats.lease_extended", everyItem(is(true)));

        beatAll(owner, Collections.nCopies(1_001, of(id, 1))).spec(invalid("beats"));
        beatAll(owner, List.of()).spec(problem(400, "VALIDATION_ERROR"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"epoch\":null}",
                "{\"epoch\":-1}",
                "{\"epoch\":\"1\"}",
                "{\"epoch\":1.5}",
                "{\"epoch\":99999999999999999999}",
                "{\"epoch\":1,\"status\":\"running\"}"
            })
    void refusesBadBeats(String body) {
        String id = running();

        beat(id, body).spec(problem(400, "VALIDATION_ERROR")).body("fields.size()", greaterThan(0));
    }

    @Test
    void agentHostsBeatForOthersAndMembersDoNot() {
        String id = running();
        silent(id, Duration.ofSeconds(60));
        Instant silentSince = lastHeartbeat(id);
        Api host = Api.newUser("agent-host");
        Api member = owner.newMember(workspace, "owner");

        beat(member, id, Map.of("epoch", 1)).spec(problem(403, "FORBIDDEN"));
        beat(member, id, Map.of("epoch", 1, "current_task", "x")).spec(problem(403, "FORBIDDEN"));
        beatAll(member, List.of(of(id, 1))).statusCode(200).body("beats[0].code", is("FORBIDDEN"));
        assertThat(lastHeartbeat(id)).isEqualTo(silentSince);

        beatAll(host, List.of(of(id, 1))).statusCode(200).body("beats[0].lease_extended", is(true));
        assertThat(lastHeartbeat(id)).isAfter(silentSince);
        beat(host, id, Map.of("epoch", 1, "current_task", "hosted")).statusCode(200);
        read(id).body("session.current_task", is("hosted"));
        host.given().get("/agent-sessions/{id}", id).then().spec(problem(403, "FORBIDDEN"));
        command(host, id, "pause", Map.of()).spec(problem(403, "FORBIDDEN"));
    }

    @Test
    void nobodyBeatsForWhatDoesNotExist() {
        String nobody = UUID.randomUUID().toString();

        beat(nobody, 1).spec(problem(404, "NOT_FOUND"));
        beat(nobody, Map.of("epoch", 1, "progress", true)).spec(problem(404, "NOT_FOUND"));
    }

    @Test
    void aHostedSessionShowsItsServersBeat() {
        Map<String, String> session = owner.given()
                .body(Map.of("agent_type", "assistant", "model", "m"))
                .post("/workspaces/{id}/agent-sessions", workspace)
                .then()
                .statusCode(201)
                .extract()
                .path("session");
        String id = session.get("id");
        Instant created = Instant.parse(session.get("created_at"));

        // no beat of its own, and yet it moves: the server renews its lease every 2 s
        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .until(() -> lastHeartbeat(id).isAfter(created));

        beat(id, 1).statusCode(200).body("lease_extended", is(true));
        String listed = owner.given()
                .get("/workspaces/{id}/agent-sessions", workspace)
                .then()
                .statusCode(200)
                .body("sessions.id", contains(id))
                .extract()
                .path("sessions[0].last_heartbeat");
        assertThat(Instant.parse(listed)).isAfter(created);
    }

    @Test
    void whatHasEndedKeepsItsLastBeat() {
        String external = running();
        silent(external, Duration.ofSeconds(60));
        beat(external, 1).statusCode(200);
        Instant last = lastHeartbeat(external);
        command(external, "complete").statusCode(200);
        String hosted = owner.newSession(workspace).get("id").asText();
        cancel(hosted).statusCode(200);
        Instant hostedLast = lastHeartbeat(hosted);

        beat(external, 1).statusCode(200);
        assertThat(lastHeartbeat(external)).isEqualTo(last);

        String server = read(hosted).extract().path("session.server_id");
        Object renewed = renewedAt(server);
        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .until(() -> !renewedAt(server).equals(renewed));
        assertThat(lastHeartbeat(hosted)).isEqualTo(hostedLast);
    }

    private static Object renewedAt(String server) {
        return query("select renewed_at from servers where id = '" + server + "'")
                .getFirst()
                .get("renewed_at");
    }

    @Test
    void whatHasEndedLeavesNothingForTheSweepToReadAgain() {
        String id = running();

        command(id, "complete").statusCode(200);

        assertThat(query("select 1 from session_heartbeats where session_id = '" + id + "'"))
                .isEmpty();
    }

    @Test
    void batchesInAnyOrderDoNotBlockEachOther() {
        List<Map<String, Object>> beats = AtOnce.run(
                        4, _ -> Stream.generate(this::running).limit(50).toList())
                .stream()
                .flatMap(List::stream)
                .map(id -> of(id, 1))
                .toList();
        String deadlock = "deadlock detected";
        long before = Postgres.logged(deadlock);

        AtOnce.run(8, host -> {
            for (int round = 0; round < 10; round++) {
                beatAll(owner, host % 2 == 0 ? beats : beats.reversed())
                        .statusCode(200)
                        .body("beats.lease_extended", everyItem(is(true)));
            }
            return null;
        });

        assertThat(Postgres.logged(deadlock)).isEqualTo(before);
    }
}
