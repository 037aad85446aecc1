package ai.buildscale.agents.workspace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What those who were removed from a workspace, or made viewers, leave behind there, and what reaches them still. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class RemovedMemberIT {
    private static final Service SERVICE = Service.shared();
    private static final String DATABASE = SERVICE.databaseUrl();

    private final Api owner = Api.user(SERVICE);
    private final Api member = Api.user(SERVICE);
    private final String workspace = owner.newWorkspace();

    RemovedMemberIT() {
        owner.addMember(workspace, member, "member");
    }

    private void remove() {
        owner.delete("/workspaces/" + workspace + "/members/" + member.userId()).expect(200);
    }

    private void makeViewer() {
        owner.patch("/workspaces/" + workspace + "/members/" + member.userId(), "{\"role\":\"viewer\"}")
                .expect(200);
    }

    private JsonNode newChat() {
        return member.post("/workspaces/" + workspace + "/chats", "{}").expect(201);
    }

    private String external() {
        return member.newExternalSession(workspace).get("id").asText();
    }

    @Test
    void readsNothingThatIsSaidAfterwards() {
        JsonNode chat = newChat();
        String session = "/agent-sessions/" + chat.get("session_id").asText();
        String path =
                "/workspaces/" + workspace + "/chats/" + chat.get("chat_id").asText();
        remove();

        owner.post(path, "{\"content\":\"secret is 42\"}").expect(202);

        assertThat(member.get(session + "/events")
                        .expectProblem(403, "FORBIDDEN")
                        .toString())
                .doesNotContain("42");
        for (String what : List.of(session, session + "/commands", path, "/workspaces/" + workspace + "/chats")) {
            member.get(what).expectProblem(403, "FORBIDDEN");
        }
        member.patch(session, "{\"current_task\":\"x\"}").expectProblem(403, "FORBIDDEN");
        member.post(session + "/pause", "{}").expectProblem(403, "FORBIDDEN");
        assertThat(owner.get(session + "/events").expect(200).toString()).contains("secret is 42");
    }

    /** Its agent works on until somebody ends it; an owner finds it by its user. */
    @Test
    void leavesSessionsThatLiveUntilAnOwnerEndsThem() {
        String id = external();
        member.command(id, "start", "{}").expect(200);
        remove();

        JsonNode found = owner.get("/workspaces/" + workspace + "/agent-sessions?user_id=" + member.userId())
                .expect(200)
                .get("sessions");
        assertThat(found).hasSize(1);
        assertThat(found.at("/0/id").asText()).isEqualTo(id);
        assertThat(found.at("/0/status").asText()).isEqualTo("running");
        owner.get("/agent-sessions/" + id).expect(200);
        owner.command(id, "pause", "{}").expectProblem(403, "FORBIDDEN");
        JsonNode ended = owner.delete("/agent-sessions/" + id + "?reason=gone").expect(200);

        assertThat(ended.at("/session/status").asText()).isEqualTo("cancelled");
        owner.delete("/agent-sessions/" + id).expect(200);
        assertThat(owner.get("/workspaces/" + workspace)
                        .expect(200)
                        .at("/workspace/live_sessions")
                        .asInt())
                .isZero();
    }

    @Test
    void controlsThemAgainOnceBack() {
        String id = external();
        remove();
        member.command(id, "start", "{}").expectProblem(403, "FORBIDDEN");

        owner.addMember(workspace, member, "member");

        member.command(id, "start", "{}").expect(200);
        owner.get("/agent-sessions/" + id).expectProblem(403, "FORBIDDEN");
    }

    /** The group's tokens beat for anybody's sessions; a token of the user alone does not any more. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void keepsNoSessionAlive(boolean removed) {
        String id = external();
        Postgres.execute(
                DATABASE,
                "update session_heartbeats set beat_at = now() - interval '1 minute' where session_id = ?::uuid",
                id);
        if (removed) {
            remove();
        } else {
            makeViewer();
        }
        String own = member.newExternalSession(member.newWorkspace()).get("id").asText();

        JsonNode answers = member.post(
                        "/agent-sessions/heartbeats",
                        "{\"beats\":[{\"id\":\"" + id + "\",\"epoch\":1},{\"id\":\"" + own + "\",\"epoch\":1}]}")
                .expect(200)
                .get("beats");
        member.command(id, "heartbeat", "{\"epoch\":1}").expectProblem(403, "FORBIDDEN");
        member.command(id, "heartbeat", "{\"epoch\":1,\"current_task\":\"x\"}").expectProblem(403, "FORBIDDEN");

        assertThat(answers.at("/0/code").asText()).isEqualTo("FORBIDDEN");
        assertThat(answers.at("/0/epoch").isNull()).isTrue();
        assertThat(answers.at("/1/lease_extended").asBoolean()).isTrue();
        assertThat(Postgres.query(
                        DATABASE,
                        "select from session_heartbeats where beat_at > now() - interval '30 seconds' and session_id = '"
                                + id + "'"))
                .isEmpty();
        Api host = Api.withToken(SERVICE, member.userId(), Tokens.of(member.userId(), "agent-host"));
        host.command(id, "heartbeat", "{\"epoch\":1}").expect(200);
    }

    /** A command that nobody carries out until the test says so. */
    private String openCommand(String session) {
        String command = UUID.randomUUID().toString();
        Postgres.execute(
                DATABASE,
                "insert into session_commands (id, session_id, command, server_id, epoch)"
                        + " values (?::uuid, ?::uuid, 'pause', ?, 1)",
                command,
                session,
                UUID.randomUUID());
        return command;
    }

    private static void carryOut(String column, String id) {
        Postgres.execute(DATABASE, "update session_commands set applied_at = now() where " + column + " = ?::uuid", id);
    }

    @Test
    void isNotAnsweredWhenAWaitIsOver() throws Exception {
        String id = external();
        String command = openCommand(id);
        String path = "/agent-sessions/" + id + "/commands/" + command + "?wait=";
        member.get(path + "0").expect(200);
        CompletableFuture<Api.Reply> held = CompletableFuture.supplyAsync(() -> member.get(path + "30"));
        assertHeld(held);
        remove();
        carryOut("id", command);

        held.get().expectProblem(403, "FORBIDDEN");
        assertThat(owner.get(path + "0").expect(200).at("/command/state").asText())
                .isEqualTo("applied");
    }

    /** The session is of a server that is not there, so that its commands stay open. */
    @Test
    void isNotShownHowTheSessionIsWhenACommandWasHeld() throws Exception {
        String id = member.newSession(workspace).get("id").asText();
        Postgres.execute(DATABASE, "update agent_sessions set server_id = ? where id = ?::uuid", UUID.randomUUID(), id);
        String path = "/agent-sessions/" + id + "/pause?wait=30";
        CompletableFuture<Api.Reply> held =
                CompletableFuture.supplyAsync(() -> member.post(path, "{}", "Idempotency-Key", "held-" + id));
        awaitCommand(id);
        assertHeld(held);
        remove();
        carryOut("session_id", id);

        held.get().expectProblem(403, "FORBIDDEN");
        member.post(path, "{}", "Idempotency-Key", "held-" + id).expectProblem(403, "FORBIDDEN");
        assertThat(owner.session(id).get("status").asText()).isEqualTo("paused");
    }

    private static void assertHeld(CompletableFuture<Api.Reply> held) {
        await().pollDelay(Duration.ofMillis(300)).until(() -> !held.isDone());
    }

    private static void awaitCommand(String session) {
        await().until(() -> !Postgres.query(
                        DATABASE, "select from session_commands where session_id = '" + session + "'")
                .isEmpty());
    }
}
