package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.host.Host;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a server of a later version may write, with names that this one does not know: shown as it is, and left to those who
 * know it, while all else goes on.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Tag("jvm")
class NewerServerIT {
    /** What a later version would have to widen first. */
    private static final Map<String, List<String>> CHECKS = Map.of(
            "agent_sessions",
                    List.of(
                            "agent_sessions_agent_type_check",
                            "agent_sessions_status_check",
                            "agent_sessions_mode_check",
                            "agent_sessions_hosting_check",
                            "ended_iff_terminal",
                            "paused_iff_pause"),
            "session_commands", List.of("session_commands_command_check"),
            "servers", List.of("servers_state_check"),
            "workspace_members", List.of("workspace_members_role_check"),
            "chats",
                    List.of("chats_agent_type_check", "chats_mode_check", "chats_hosting_check", "chats_on_busy_check"),
            "turns", List.of("turns_state_check"),
            "messages", List.of("messages_kind_check", "messages_state_check"));

    private static Servers servers;
    private static Api owner;
    private String workspace;

    @BeforeAll
    static void start() {
        servers = Servers.start(
                2,
                Map.of(
                        "sessions.sweep-interval", "0.3S",
                        "sweeps.retention-interval", "0.5S",
                        "hosts.sweep-interval", "0.3S"));
        CHECKS.forEach(
                (table, checks) -> checks.forEach(check -> sql("alter table " + table + " drop constraint " + check)));
        Postgres.neverAway(servers.database());
        owner = Api.user(servers.get(1), "admin", "agent-host").amongNewer();
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    @BeforeEach
    void anew() {
        workspace = owner.newWorkspace();
    }

    private static void sql(String statement, Object... arguments) {
        Postgres.execute(servers.database(), statement, arguments);
    }

    private static void set(String sessionId, String assignments) {
        sql("update agent_sessions set " + assignments + " where id = ?::uuid", sessionId);
    }

    private String running() {
        String id = owner.newSession(workspace).get("id").asText();
        owner.command(id, "start", "{}").expect(200);
        return id;
    }

    private String list(String query) {
        return "/workspaces/" + workspace + "/agent-sessions" + query;
    }

    private static String status(String sessionId) {
        return owner.session(sessionId).get("status").asText();
    }

    private static void awaitStatus(String sessionId, String status) {
        Servers.await().until(() -> status(sessionId).equals(status));
    }

    private static String beats(String sessionId) {
        return "{\"beats\":[{\"id\":\"" + sessionId + "\",\"epoch\":1}]}";
    }

    @ParameterizedTest
    @CsvSource({"status, hibernating", "hosting, orbital", "agent_type, critic", "mode, review"})
    @Order(1)
    void aSessionIsShownAsItIs(String column, String value) {
        String id = running();
        set(id, column + " = '" + value + "'");

        try (SseStream stream = owner.stream("/workspaces/" + workspace + "/events?snapshot=true")) {
            JsonNode session = owner.session(id);
            assertThat(session.get(column).asText()).isEqualTo(value);
            assertThat(session.get("is_terminal").asBoolean()).isFalse();
            for (String query : List.of("", "?status=all", "?agent_type=assistant&status=running")) {
                assertThat(owner.get(list(query)).expect(200).get("total").asInt())
                        .isBetween(0, 1);
            }
            assertThat(owner.get(list(""))
                            .expect(200)
                            .at("/sessions/0/" + column)
                            .asText())
                    .isEqualTo(value);
            assertThat(stream.await(event -> event.type().equals("snapshot"))
                            .data()
                            .at("/sessions/0/" + column)
                            .asText())
                    .isEqualTo(value);
            owner.get("/agent-sessions/" + id + "/events").expect(200);
            owner.get("/agent-sessions/" + id + "/commands").expect(200);
            owner.get("/workspaces/" + workspace + "/attention").expect(200);
            owner.patch("/agent-sessions/" + id, "{\"current_task\":\"On\"}").expect(200);
            assertThat(owner.command(id, "heartbeat", "{\"epoch\":1}")
                            .expect(200)
                            .get("lease_extended")
                            .asBoolean())
                    .isTrue();
            assertThat(owner.post("/agent-sessions/heartbeats", beats(id))
                            .expect(200)
                            .at("/beats/0/desired_status")
                            .asText())
                    .isEqualTo(session.get("status").asText());

            String other = running();
            stream.await(event -> event.type().equals("agent_status")
                    && event.text("session_id").equals(other)
                    && event.text("status").equals("running"));
            if (column.equals("status")) {
                JsonNode problem = owner.command(id, "pause", "{}").expectProblem(409, "CONFLICT");
                assertThat(problem.get("current_status").asText()).isEqualTo(value);
                assertThat(problem.get("allowed_transitions")).isEmpty();
                owner.post("/agent-sessions/" + id + "/migrate", "{}").expectProblem(409, "CONFLICT");
            } else {
                owner.command(id, "pause", "{}").expect(200);
            }
        }
    }

    @Test
    @Order(2)
    void anEndIsTheRowsToTell() {
        String unknown = running();
        String known = running();
        owner.delete("/agent-sessions/" + known).expect(200);
        set(unknown, "status = 'archived', ended_at = now() - interval '1 year'");
        set(known, "ended_at = now() - interval '1 year'");

        assertThat(owner.session(unknown).get("is_terminal").asBoolean()).isTrue();
        assertThat(owner.post("/agent-sessions/heartbeats", beats(unknown))
                        .expect(200)
                        .at("/beats/0/lease_extended")
                        .asBoolean())
                .isFalse();
        Servers.await().until(() -> owner.get("/agent-sessions/" + known).status() == 404);
        assertThat(status(unknown)).as("it is not for this server to remove").isEqualTo("archived");
    }

    @Test
    @Order(3)
    void whatIsNotKnownIsNotSwept() {
        List<String> silent = List.of(external(), external(), external());
        List<String> idle = List.of(
                owner.newSession(workspace).get("id").asText(),
                owner.newSession(workspace).get("id").asText());
        List<String> paused = List.of(running(), running(), running());
        paused.forEach(id -> owner.command(id, "pause", "{\"expires_in\":3600}").expect(200));
        set(silent.get(0), "status = 'hibernating'");
        set(silent.get(1), "hosting = 'orbital'");
        set(idle.get(0), "hosting = 'orbital'");
        set(paused.get(0), "paused_from = 'hibernating'");
        set(paused.get(1), "status = 'suspended'");

        silent.forEach(id ->
                sql("update session_heartbeats set beat_at = now() - interval '1 day' where session_id = ?::uuid", id));
        idle.forEach(id -> set(id, "updated_at = now() - interval '1 year'"));
        paused.forEach(id -> set(id, "pause_expires_at = now()"));
        awaitStatus(silent.get(2), "error");
        awaitStatus(idle.get(1), "cancelled");
        awaitStatus(paused.get(2), "running");

        assertThat(status(silent.get(0))).isEqualTo("hibernating");
        assertThat(status(silent.get(1))).isEqualTo("running");
        assertThat(status(idle.get(0))).isEqualTo("idle");
        assertThat(status(paused.get(0))).isEqualTo("paused");
        assertThat(status(paused.get(1))).isEqualTo("suspended");
        owner.command(paused.get(0), "resume", "{}").expect(200);
        assertThat(status(paused.get(0))).isEqualTo("idle");
    }

    private String external() {
        String id = owner.newExternalSession(workspace).get("id").asText();
        owner.command(id, "start", "{}").expect(200);
        return id;
    }

    private static void command(String sessionId, String name) {
        sql(
                "insert into session_commands (id, session_id, command, server_id, epoch, accepted_at) select gen_random_uuid(),"
                        + " id, ?, server_id, epoch, now() - interval '1 hour' from agent_sessions where id = ?::uuid",
                name,
                sessionId);
        set(sessionId, "open_commands = open_commands + 1");
    }

    private static String state(String sessionId, String command) {
        JsonNode all = owner.get("/agent-sessions/" + sessionId + "/commands")
                .expect(200)
                .get("commands");
        return StreamSupport.stream(all.spliterator(), false)
                .filter(one -> one.get("command").asText().equals(command))
                .map(one -> one.get("state").asText())
                .findFirst()
                .orElseThrow();
    }

    @Test
    @Order(4)
    void aCommandWaitsForWhoKnowsItAndHoldsUpNoOther() {
        String id = servers.sessionsOn(1, 1, owner, workspace).getFirst();
        owner.command(id, "start", "{}").expect(200);
        command(id, "rewind");

        JsonNode paused = owner.command(id, "pause?wait=10", "{}").expect(200);
        assertThat(paused.at("/command/state").asText()).isEqualTo("applied");
        JsonNode moved =
                owner.post("/agent-sessions/" + id + "/migrate?wait=10", "{}").expect(200);
        assertThat(moved.at("/session/server_hostname").asText()).isEqualTo("s2");
        JsonNode cancelled = owner.delete("/agent-sessions/" + id + "?wait=10").expect(200);
        assertThat(cancelled.at("/command/state").asText()).isEqualTo("applied");

        String abandoned = running();
        set(abandoned, "server_id = gen_random_uuid(), status = 'cancelled', ended_at = now()");
        command(abandoned, "cancel");
        Servers.await().until(() -> state(abandoned, "cancel").equals("applied"));
        assertThat(state(id, "rewind")).as("nobody else settles it either").isEqualTo("accepted");
    }

    @Test
    @Order(5)
    void anAgentOfAnUnknownKindWaitsForWhoKnowsIt() {
        Talk unknown = Talk.begin(owner, workspace);
        Talk reviewing = Talk.begin(owner, workspace);
        Talk known = Talk.begin(owner, workspace);
        set(unknown.sessionId(), "agent_type = 'critic'");
        set(reviewing.sessionId(), "mode = 'review'");
        unknown.say("/say one");
        reviewing.say("/say one");
        known.say("/say two");
        awaitTold(known, "assistant: two");
        assertThat(unknown.told()).containsExactly("user: /say one");
        assertThat(reviewing.told()).containsExactly("user: /say one");
        assertThat(status(unknown.sessionId())).isEqualTo("idle");

        set(unknown.sessionId(), "agent_type = 'builder'");
        set(reviewing.sessionId(), "mode = 'chat'");
        awaitTold(unknown, "assistant: one");
        awaitTold(reviewing, "assistant: one");
    }

    private static void awaitTold(Talk talk, String entry) {
        Servers.await().until(() -> talk.told().contains(entry));
    }

    @ParameterizedTest
    @CsvSource({"agent_type, critic", "mode, review", "hosting, orbital", "on_busy, negotiate"})
    @Order(6)
    void aChatIsShownAndRevivedByWhoKnowsIt(String column, String value) {
        Talk talk = Talk.begin(owner, workspace);
        sql("update chats set " + column + " = ? where id = ?::uuid", value, talk.chatId());

        assertThat(talk.whole().at("/chat/" + column).asText()).isEqualTo(value);
        assertThat(owner.get("/workspaces/" + workspace + "/chats")
                        .expect(200)
                        .at("/chats/0/" + column)
                        .asText())
                .isEqualTo(value);
        owner.patch(talk.path(), "{\"name\":\"Named\"}").expect(200);
        talk.say("/say one");
        awaitTold(talk, "assistant: one");
        owner.delete("/agent-sessions/" + talk.sessionId()).expect(200);
        Api.Reply again = talk.post("/say two", null);
        if (column.equals("on_busy")) {
            again.expect(202);
        } else {
            again.expectProblem(503, "UNAVAILABLE");
            assertThat(again.header("retry-after")).isNotNull();
        }
    }

    @Test
    @Order(7)
    void messagesOfAnUnknownKindAreShownAndNotTakenUp() {
        for (int i = 0; i < 2; i++) {
            Talk talk = Talk.begin(owner, workspace);
            message(talk, "artifact", null);
            message(talk, "signal", "new");
            talk.say("/say yes");
            awaitTold(talk, "assistant: yes");
            assertThat(talk.told()).contains("artifact: made", "signal: made");
            assertThat(talk.whole().at("/messages/1/state").asText()).isEqualTo("new");
            owner.get("/workspaces/" + workspace + "/attention").expect(200);
        }
        for (int server = 1; server <= 2; server++) {
            assertThat(servers.get(server).log().lines().filter(line -> line.contains("not known here: artifact")))
                    .hasSizeLessThanOrEqualTo(1);
        }
    }

    private static void message(Talk talk, String kind, String state) {
        sql(
                "insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, state, position)"
                        + " values (gen_random_uuid(), ?::uuid, ?::uuid, ?::uuid, gen_random_uuid(), ?, 'made', ?, ?)",
                talk.workspaceId(),
                talk.chatId(),
                talk.sessionId(),
                kind,
                state,
                state == null ? 1 : 2);
    }

    @Test
    @Order(8)
    void aTurnInAnUnknownStateIsLeftUntilPeopleEndIt() {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/wait 60s");
        awaitStatus(talk.sessionId(), "running");
        talk.command("pause").expect(200);
        sql("update turns set state = 'suspended' where session_id = ?::uuid", talk.sessionId());

        talk.command("resume").expect(200);
        talk.say("/say later");
        talk.whole();
        Talk other = Talk.begin(owner, workspace);
        other.say("/say now");
        awaitTold(other, "assistant: now");
        assertThat(talk.told()).doesNotContain("assistant: later");
        assertThat(talk.owner()
                        .delete("/agent-sessions/" + talk.sessionId() + "?wait=10")
                        .expect(200)
                        .at("/command/state")
                        .asText())
                .isEqualTo("applied");
    }

    @Test
    @Order(9)
    void anAgentAtWorkIsParkedWhileItsSessionIsInAnUnknownState() {
        Talk talk = Talk.begin(owner, workspace);
        talk.say("/wait 2s", "/think Hm", "/say end");
        awaitStatus(talk.sessionId(), "running");
        set(talk.sessionId(), "status = 'hibernating'");
        Servers.await().until(() -> turns(talk).equals(List.of("parked")));

        assertThat(talk.session().get("status").asText()).isEqualTo("hibernating");
        set(talk.sessionId(), "status = 'running'");
        awaitStatus(talk.sessionId(), "idle");
        assertThat(talk.told().getLast()).endsWith("end");
    }

    private static List<Object> turns(Talk talk) {
        return Postgres.query(
                        servers.database(),
                        "select state from turns where session_id = '" + talk.sessionId() + "' order by id")
                .stream()
                .map(row -> row.get("state"))
                .toList();
    }

    @Test
    @Order(10)
    void hostsElsewhereAreToldOfWhatIsNotKnownToo() {
        Host host = Host.register(owner, "");
        sql("update agent_hosts set agent_types = '{critic}' where id = ?::uuid", host.id());
        assertThat(owner.get("/agent-hosts")
                        .expect(200)
                        .at("/hosts/0/agent_types/0")
                        .asText())
                .isEqualTo("critic");
        Talk talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
        set(talk.sessionId(), "agent_type = 'critic', mode = 'review'");
        message(talk, "artifact", null);
        talk.say("Hello");
        JsonNode work = host.next();
        assertThat(work.get("agent_type").asText()).isEqualTo("critic");
        assertThat(work.get("mode").asText()).isEqualTo("review");
        assertThat(work.at("/history/0/kind").asText()).isEqualTo("artifact");

        set(talk.sessionId(), "status = 'hibernating'");
        JsonNode beat = host.beat(work);
        assertThat(beat.get("lease_extended").asBoolean()).isFalse();
        assertThat(beat.get("desired_status").asText()).isEqualTo("paused");
        assertThat(host.tell(work, Host.chunk("x"))
                        .expect(200)
                        .get("desired_status")
                        .asText())
                .isEqualTo("paused");
        sql(
                "update turns set lease_until = now() - interval '1 hour', attempt = 9 where session_id = ?::uuid",
                talk.sessionId());
        Talk other = Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
        sql("update agent_hosts set agent_types = null where id = ?::uuid", host.id());
        other.say("Hello");
        host.result(host.next(), "done", ",\"message\":\"Hi\"").expect(200);
        assertThat(turns(talk)).as("it is not given up").containsExactly("running");
        owner.delete(host.path()).expect(204);
    }

    @Test
    @Order(11)
    void aMemberWithAnUnknownRoleMayNothingYet() {
        Api member = Api.user(servers.get(2)).amongNewer();
        owner.addMember(workspace, member, "member");
        sql("update workspace_members set role = 'auditor' where user_id = ?", member.userId());

        assertThat(member.get("/workspaces")
                        .expect(200)
                        .at("/workspaces/0/role")
                        .asText())
                .isEqualTo("auditor");
        String members = "/workspaces/" + workspace + "/members";
        assertThat(owner.get(members).expect(200).at("/members/1/role").asText())
                .isEqualTo("auditor");
        member.get(list("")).expectProblem(403, "FORBIDDEN");
        member.post(list(""), "{\"agent_type\":\"builder\",\"model\":\"m\"}").expectProblem(403, "FORBIDDEN");
        owner.patch(members + "/" + member.userId(), "{\"role\":\"viewer\"}").expect(200);
        member.get(list("")).expect(200);
    }

    @Test
    @Order(12)
    void aServerInAnUnknownStateIsGivenNothing() {
        String second = servers.id(2);
        sql("update servers set state = 'quarantined' where id = ?::uuid", second);
        assertThat(servers.living("s2").get("state").asText()).isEqualTo("quarantined");
        owner.get("/servers/" + second).expect(200);
        owner.post("/servers/rebalance", "{}").expect(200);
        for (int i = 0; i < 4; i++) {
            assertThat(owner.newSession(workspace).get("server_hostname").asText())
                    .isEqualTo("s1");
        }
        assertThat(owner.at(servers.get(2)).get("/q/health/ready").status()).isEqualTo(200);
        owner.post("/servers/" + second + "/uncordon", "").expect(200);
        assertThat(servers.living("s2").get("state").asText()).isEqualTo("active");
    }

    @ParameterizedTest
    @ValueSource(strings = {"v9:{\"to\":\"all\"}", "no colon", "", ":,,", "x:00000000-0000-7000-8000-00000000000"})
    @Order(13)
    void eventsAndWakeUpsOfAnUnknownKindArePassedOn(String payload) {
        String id = running();
        try (SseStream stream = owner.at(servers.get(2)).stream("/workspaces/" + workspace + "/events?snapshot=true")) {
            stream.await(event -> event.type().equals("snapshot"));
            sql(
                    "with s as (update agent_sessions set last_position = next_position(last_position, 0) where id = ?::uuid"
                            + " returning *) insert into events (position, workspace_id, chat_id, session_id, type, data, at)"
                            + " select last_position, workspace_id, chat_id, id, 'agent_dreamt', '{\"depth\": 3}', now() from s",
                    id);
            sql("select pg_notify('agent_events', ?)", payload);
            assertThat(stream.await(event -> event.type().equals("agent_dreamt"))
                            .data()
                            .get("depth")
                            .asInt())
                    .isEqualTo(3);
            owner.command(id, "yield", "{}").expect(200);
            stream.awaitStatus("idle");
        }
        assertThat(owner.history(id).stream().map(event -> event.get("event").asText()))
                .contains("agent_dreamt");
    }

    @Test
    @Order(14)
    void aServerThatGoesMovesWhatItKnowsAndNobodyWaitsForTheRest() {
        List<String> all = servers.sessionsOn(1, 3, owner, workspace);
        all.forEach(id -> owner.command(id, "start", "{}").expect(200));
        set(all.get(0), "status = 'hibernating'");
        set(all.get(1), "hosting = 'orbital'");
        Api second = owner.at(servers.get(2));
        String first = servers.id(1);

        second.post("/servers/" + first + "/drain", "").expect(200);
        Servers.await().until(() -> hostname(second, all.get(2)).equals("s2"));
        servers.signal(1, "TERM");
        Servers.await().until(() -> !servers.get(1).isAlive());
        Servers.await()
                .until(() -> second.get("/servers/" + first)
                        .expect(200)
                        .get("server")
                        .get("state")
                        .asText()
                        .equals("gone"));

        assertThat(hostname(second, all.get(0))).isEqualTo("s1");
        assertThat(hostname(second, all.get(1))).isEqualTo("s1");
        assertThat(servers.get(2).metric("fleet_servers_orphaning")).isZero();
        assertThat(second.post("/servers/rebalance", "{\"dry_run\":true}").status())
                .isEqualTo(200);
        second.command(all.get(2), "pause?wait=10", "{}").expect(200);
        second.get(list("")).expect(200);
    }

    private static String hostname(Api at, String sessionId) {
        return at.session(sessionId).get("server_hostname").asText();
    }
}
