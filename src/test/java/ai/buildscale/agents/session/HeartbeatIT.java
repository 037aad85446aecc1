package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Beats: what keeps a session alive, what an agent learns from it, and who may send it. */
class HeartbeatIT {
    private static final String DATABASE = Service.shared().databaseUrl();
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    private static String running() {
        String id = OWNER.newExternalSession(WORKSPACE).get("id").asText();
        OWNER.command(id, "start", "{}").expect(200);
        return id;
    }

    private static Api.Reply beat(String id, long epoch) {
        return OWNER.command(id, "heartbeat", "{\"epoch\":" + epoch + "}");
    }

    /** The answers to beats, each {@code "id epoch"}, in one call. */
    private static List<JsonNode> beatAll(Api caller, String... beats) {
        String body = Arrays.stream(beats)
                .map(beat -> beat.split(" "))
                .map(beat -> "{\"id\":\"" + beat[0] + "\",\"epoch\":" + beat[1] + "}")
                .collect(Collectors.joining(",", "{\"beats\":[", "]}"));
        return caller.post("/agent-sessions/heartbeats", body)
                .expect(200)
                .get("beats")
                .valueStream()
                .toList();
    }

    /** Lets the session have been silent for this long. */
    private static void silent(String id, Duration since) {
        int rows = Postgres.execute(
                DATABASE,
                "update session_heartbeats set beat_at = now() - ? * interval '1 second' where session_id = ?::uuid",
                since.toSeconds(),
                id);
        assertThat(rows).isEqualTo(1);
        // its creation was a sign of life, too
        Postgres.execute(
                DATABASE, "update agent_sessions set created_at = now() - interval '1 hour' where id = ?::uuid", id);
    }

    private static void newOwner(String id) {
        Postgres.execute(DATABASE, "update agent_sessions set epoch = epoch + 1 where id = ?::uuid", id);
    }

    private static Instant lastHeartbeat(String id) {
        return Instant.parse(OWNER.session(id).get("last_heartbeat").asText());
    }

    private static Instant databaseTime() {
        Object now = Postgres.query(DATABASE, "select now() as now").getFirst().get("now");
        return ((java.sql.Timestamp) now).toInstant();
    }

    @Test
    void aBeatExtendsTheLease() {
        String id = running();
        silent(id, Duration.ofSeconds(60));
        Instant before = databaseTime();

        JsonNode lease = beat(id, 1).expect(200);

        assertThat(lease.get("lease_extended").asBoolean()).isTrue();
        assertThat(lease.get("ttl_seconds").asInt()).isEqualTo(120);
        assertThat(lease.get("desired_status").asText()).isEqualTo("running");
        assertThat(lease.get("epoch").asInt()).isEqualTo(1);
        assertThat(lease.properties()).hasSize(4);
        assertThat(lastHeartbeat(id)).isAfterOrEqualTo(before);
    }

    @Test
    void aPlainBeatIsNoChange() {
        String id = running();
        JsonNode before = OWNER.session(id);

        beat(id, 1).expect(200);

        JsonNode after = OWNER.session(id);
        assertThat(after.get("version")).isEqualTo(before.get("version"));
        assertThat(after.get("updated_at")).isEqualTo(before.get("updated_at"));
        assertThat(after.get("last_progress_at").isNull()).isTrue();
        assertThat(OWNER.statuses(id)).containsExactly("idle", "running");
    }

    @Test
    void theAgentLearnsWhatPeopleWant() {
        String id = running();

        OWNER.command(id, "pause", "{}").expect(200);
        JsonNode paused = beat(id, 1).expect(200);
        assertThat(paused.get("desired_status").asText()).isEqualTo("paused");
        assertThat(paused.get("lease_extended").asBoolean()).isTrue();

        OWNER.delete("/agent-sessions/" + id).expect(200);
        JsonNode cancelled = beat(id, 1).expect(200);
        assertThat(cancelled.get("desired_status").asText()).isEqualTo("cancelled");
        assertThat(cancelled.get("lease_extended").asBoolean()).isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"true|true", "{\"step\":3}|true", "0.5|true", "\"\"|true", "false|false", "null|false"})
    void progressMovesLastProgress(String progress, boolean moves) {
        String id = running();
        silent(id, Duration.ofSeconds(60));
        Instant before = databaseTime();

        OWNER.command(id, "heartbeat", "{\"epoch\":1,\"progress\":" + progress + "}")
                .expect(200);

        JsonNode session = OWNER.session(id);
        assertThat(session.get("last_progress_at").isNull()).isEqualTo(!moves);
        if (moves) {
            assertThat(Instant.parse(session.get("last_progress_at").asText())).isAfterOrEqualTo(before);
        }
        assertThat(lastHeartbeat(id)).isAfterOrEqualTo(before);
        assertThat(OWNER.history(id))
                .extracting(event -> event.get("event").asText())
                .containsOnly("agent_status");
    }

    @Test
    void aBeatTellsTheTask() {
        String id = running();

        OWNER.command(id, "heartbeat", "{\"epoch\":1,\"current_task\":\"Reading\"}")
                .expect(200);
        OWNER.command(id, "heartbeat", "{\"epoch\":1,\"current_task\":\"Reading\"}")
                .expect(200);
        OWNER.command(id, "heartbeat", "{\"epoch\":1,\"current_task\":\"Writing\",\"progress\":true}")
                .expect(200);

        assertThat(OWNER.session(id).get("current_task").asText()).isEqualTo("Writing");
        assertThat(OWNER.history(id).stream()
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

        JsonNode problem = OWNER.command(id, "heartbeat", body).expectProblem(409, "FENCED");

        assertThat(problem.get("epoch").asInt()).isEqualTo(2);
        assertThat(lastHeartbeat(id)).isEqualTo(silentSince);
        assertThat(OWNER.session(id).get("current_task").isNull()).isTrue();
        beat(id, 2).expect(200);
        assertThat(lastHeartbeat(id)).isAfter(silentSince);
    }

    @Test
    void oneAnswerForEachBeatInTheirOrder() {
        String live = running();
        String idle = OWNER.newExternalSession(WORKSPACE).get("id").asText();
        String paused = running();
        OWNER.command(paused, "pause", "{}").expect(200);
        String ended = running();
        OWNER.command(ended, "complete", "{}").expect(200);
        String fenced = running();
        newOwner(fenced);
        Api colleague = Api.user(Service.shared());
        OWNER.addMember(WORKSPACE, colleague, "owner");
        String foreign = colleague.newExternalSession(WORKSPACE).get("id").asText();
        String hosted = OWNER.newSession(WORKSPACE).get("id").asText();
        String nobody = UUID.randomUUID().toString();
        for (String id : List.of(live, idle, paused, fenced, foreign)) {
            silent(id, Duration.ofSeconds(60));
        }
        Instant before = databaseTime();

        List<JsonNode> answers = beatAll(
                OWNER,
                ended + " 1",
                nobody + " 1",
                live + " 1",
                foreign + " 1",
                paused + " 1",
                live + " 1",
                fenced + " 1",
                live + " 7",
                hosted + " 1",
                idle + " 1");

        assertThat(answers.stream().map(answer -> answer.get("id").asText()))
                .containsExactly(ended, nobody, live, foreign, paused, live, fenced, live, hosted, idle);
        assertThat(answers.stream().map(answer -> answer.get("code").asText(null)))
                .containsExactly(null, "NOT_FOUND", null, "FORBIDDEN", null, null, "FENCED", "FENCED", null, null);
        assertThat(answers.stream().map(answer -> answer.get("lease_extended").asBoolean()))
                .containsExactly(false, false, true, false, true, true, false, false, true, true);
        assertThat(answers.stream().map(answer -> answer.get("desired_status").asText(null)))
                .containsExactly("completed", null, "running", null, "paused", "running", null, null, "idle", "idle");
        assertThat(answers.get(6).get("epoch").asInt()).isEqualTo(2);
        assertThat(answers.get(3).get("epoch").isNull())
                .as("a stranger learns nothing")
                .isTrue();
        for (String id : List.of(live, idle, paused)) {
            assertThat(lastHeartbeat(id)).isAfterOrEqualTo(before);
        }
        assertThat(lastHeartbeat(fenced)).isBefore(before.minusSeconds(50));
        assertThat(Instant.parse(
                        colleague.session(foreign).get("last_heartbeat").asText()))
                .isBefore(before.minusSeconds(50));
    }

    @Test
    void aBatchHasAThousandBeatsAtMost() {
        String id = running();
        String[] beats = Collections.nCopies(1_000, id + " 1").toArray(String[]::new);
        assertThat(beatAll(OWNER, beats))
                .hasSize(1_000)
                .allMatch(answer -> answer.get("lease_extended").asBoolean());

        String body = Stream.generate(() -> "{\"id\":\"" + id + "\",\"epoch\":1}")
                .limit(1_001)
                .collect(Collectors.joining(",", "{\"beats\":[", "]}"));
        JsonNode problem = OWNER.post("/agent-sessions/heartbeats", body).expectProblem(400, "VALIDATION_ERROR");
        assertThat(problem.get("fields").has("beats")).isTrue();
        OWNER.post("/agent-sessions/heartbeats", "{\"beats\":[]}").expectProblem(400, "VALIDATION_ERROR");
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

        JsonNode problem = OWNER.command(id, "heartbeat", body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields")).isNotEmpty();
    }

    @Test
    void agentHostsBeatForOthersAndMembersDoNot() {
        String id = running();
        silent(id, Duration.ofSeconds(60));
        Instant silentSince = lastHeartbeat(id);
        Api host = Api.user(Service.shared(), "agent-host");
        Api member = Api.user(Service.shared());
        OWNER.addMember(WORKSPACE, member, "owner");

        member.command(id, "heartbeat", "{\"epoch\":1}").expectProblem(403, "FORBIDDEN");
        member.command(id, "heartbeat", "{\"epoch\":1,\"current_task\":\"x\"}").expectProblem(403, "FORBIDDEN");
        assertThat(beatAll(member, id + " 1").getFirst().get("code").asText()).isEqualTo("FORBIDDEN");
        assertThat(lastHeartbeat(id)).isEqualTo(silentSince);

        assertThat(beatAll(host, id + " 1").getFirst().get("lease_extended").asBoolean())
                .isTrue();
        assertThat(lastHeartbeat(id)).isAfter(silentSince);
        host.command(id, "heartbeat", "{\"epoch\":1,\"current_task\":\"hosted\"}")
                .expect(200);
        assertThat(OWNER.session(id).get("current_task").asText()).isEqualTo("hosted");
        host.get("/agent-sessions/" + id).expectProblem(403, "FORBIDDEN");
        host.command(id, "pause", "{}").expectProblem(403, "FORBIDDEN");
    }

    @Test
    void nobodyBeatsForWhatDoesNotExist() {
        String nobody = UUID.randomUUID().toString();

        beat(nobody, 1).expectProblem(404, "NOT_FOUND");
        OWNER.command(nobody, "heartbeat", "{\"epoch\":1,\"progress\":true}").expectProblem(404, "NOT_FOUND");
    }

    @Test
    void aHostedSessionShowsItsServersBeat() {
        JsonNode session = OWNER.newSession(WORKSPACE);
        String id = session.get("id").asText();
        Instant created = Instant.parse(session.get("created_at").asText());

        // no beat of its own, and yet it moves: the server renews its lease every 2 s
        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .until(() -> lastHeartbeat(id).isAfter(created));
        assertThat(beat(id, 1).expect(200).get("lease_extended").asBoolean()).isTrue();
        assertThat(OWNER.get("/workspaces/" + WORKSPACE + "/agent-sessions?limit=500")
                        .expect(200)
                        .get("sessions")
                        .valueStream()
                        .filter(listed -> listed.get("id").asText().equals(id))
                        .map(listed ->
                                Instant.parse(listed.get("last_heartbeat").asText())))
                .singleElement()
                .satisfies(shown -> assertThat(shown).isAfter(created));
    }

    @Test
    void whatHasEndedKeepsItsLastBeat() {
        String external = running();
        silent(external, Duration.ofSeconds(60));
        beat(external, 1).expect(200);
        Instant last = lastHeartbeat(external);
        OWNER.command(external, "complete", "{}").expect(200);
        String hosted = OWNER.newSession(WORKSPACE).get("id").asText();
        OWNER.delete("/agent-sessions/" + hosted).expect(200);
        Instant hostedLast = lastHeartbeat(hosted);

        beat(external, 1).expect(200);
        assertThat(lastHeartbeat(external)).isEqualTo(last);

        String server = OWNER.session(hosted).get("server_id").asText();
        Object renewed = renewedAt(server);
        Awaitility.await()
                .atMost(Duration.ofSeconds(10))
                .until(() -> !renewedAt(server).equals(renewed));
        assertThat(lastHeartbeat(hosted)).isEqualTo(hostedLast);
    }

    private static Object renewedAt(String server) {
        return Postgres.query(DATABASE, "select renewed_at from servers where id = '" + server + "'")
                .getFirst()
                .get("renewed_at");
    }

    @Test
    void whatHasEndedLeavesNothingForTheSweepToReadAgain() {
        String id = running();
        OWNER.command(id, "complete", "{}").expect(200);

        assertThat(Postgres.query(DATABASE, "select 1 from session_heartbeats where session_id = '" + id + "'"))
                .isEmpty();
    }

    @Test
    void batchesInAnyOrderDoNotBlockEachOther() {
        List<String> ids = AtOnce.run(
                        4, _ -> Stream.generate(HeartbeatIT::running).limit(50).toList())
                .stream()
                .flatMap(List::stream)
                .toList();
        String deadlock = "deadlock detected";
        long before = Postgres.logged(deadlock);

        AtOnce.run(8, host -> {
            for (int round = 0; round < 10; round++) {
                String[] beats = IntStream.range(0, ids.size())
                        .map(i -> host % 2 == 0 ? i : ids.size() - 1 - i)
                        .mapToObj(i -> ids.get(i) + " 1")
                        .toArray(String[]::new);
                assertThat(beatAll(OWNER, beats))
                        .allMatch(answer -> answer.get("lease_extended").asBoolean());
            }
            return null;
        });

        assertThat(Postgres.logged(deadlock)).isEqualTo(before);
    }
}
