package ai.buildscale.agents.workspace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A removal, or a demotion, against what the member does meanwhile: one that is committed first wins. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class RemovalRaceIT {
    private static final Service SERVICE = Service.shared();
    private static final String DATABASE = SERVICE.databaseUrl();

    private final Api owner = Api.user(SERVICE);
    private final Api member = Api.user(SERVICE);
    private final String workspace = owner.newWorkspace();
    private final String membership = "/workspaces/" + workspace + "/members/" + member.userId();

    RemovalRaceIT() {
        owner.addMember(workspace, member, "member");
    }

    /** Does it while somebody holds this row, removes the member meanwhile, then lets go of the row. */
    private Api.Reply overtaken(String locked, String change, Supplier<Api.Reply> call) throws Exception {
        try (Connection other = Postgres.connect(DATABASE)) {
            other.setAutoCommit(false);
            try (var lock = other.prepareStatement(locked)) {
                lock.execute();
            }
            CompletableFuture<Api.Reply> waiting = CompletableFuture.supplyAsync(call);
            await().until(() -> !Postgres.query(
                            DATABASE,
                            "select from pg_stat_activity where datname = current_database()"
                                    + " and wait_event_type = 'Lock' and application_name = 'agent-sessions'")
                    .isEmpty());
            assertThat(waiting).isNotDone();
            change(other, change);
            other.commit();
            return waiting.get();
        }
    }

    private void change(Connection other, String change) throws SQLException {
        switch (change) {
            case "removed" -> owner.delete(membership).expect(200);
            case "made a viewer" ->
                owner.patch(membership, "{\"role\":\"viewer\"}").expect(200);
            default -> {
                try (var removal = other.prepareStatement(change)) {
                    removal.execute();
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "removed       | POST   | /start     | {}",
                "removed       | POST   | /pause     | {}",
                "removed       | DELETE | ''         |",
                "removed       | PATCH  | ''         | {\"current_task\":\"x\"}",
                "removed       | POST   | /heartbeat | {\"epoch\":1,\"current_task\":\"x\"}",
                "made a viewer | POST   | /start     | {}",
                "made a viewer | DELETE | ''         |",
                "made a viewer | PATCH  | ''         | {\"current_task\":\"x\"}",
                "made a viewer | POST   | /heartbeat | {\"epoch\":1,\"current_task\":\"x\"}"
            })
    void aCommandThatWaitedForItsSessionIsRefused(String change, String method, String what, String body)
            throws Exception {
        String id = member.newExternalSession(workspace).get("id").asText();

        Api.Reply reply = overtaken(
                "select from agent_sessions where id = '" + id + "' for update",
                change,
                () -> member.send(method, "/agent-sessions/" + id + what, body));

        reply.expectProblem(403, "FORBIDDEN");
        JsonNode session = owner.session(id);
        assertThat(session.get("version").asInt()).isEqualTo(1);
        assertThat(session.get("status").asText()).isEqualTo("idle");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/stop", "/answers", "PATCH"})
    void whatIsSaidInAChatThatWaitedIsRefused(String what) throws Exception {
        JsonNode chat = member.post("/workspaces/" + workspace + "/chats", "{\"hosting\":\"external\"}")
                .expect(201);
        String path =
                "/workspaces/" + workspace + "/chats/" + chat.get("chat_id").asText();
        String id = chat.get("session_id").asText();
        if (what.equals("/answers")) {
            ask(chat);
        }

        Api.Reply reply = overtaken(
                "select from agent_sessions where id = '" + id + "' for update", "removed", () -> switch (what) {
                    case "PATCH" -> member.patch(path, "{\"name\":\"mine\"}");
                    case "/answers" -> member.post(path + what, "{\"answer\":1}");
                    case "/stop" -> member.post(path + what, "");
                    default -> member.post(path, "{\"content\":\"mine\"}");
                });

        reply.expectProblem(403, "FORBIDDEN");
        assertThat(owner.get(path).expect(200).toString()).doesNotContain("mine");
        assertThat(owner.get("/agent-sessions/" + id + "/events").expect(200).get("events"))
                .hasSize(1);
    }

    /** As if the agent had asked. */
    private void ask(JsonNode chat) {
        String turn = "'" + chat.get("chat_id").asText() + "'::uuid";
        String session = "'" + chat.get("session_id").asText() + "'::uuid";
        Postgres.execute(
                DATABASE,
                "insert into turns (id, session_id, chat_id, workspace_id, message_id, state, epoch) select " + turn
                        + ", id, chat_id, workspace_id, chat_id, 'waiting', 1 from agent_sessions where id = "
                        + session);
        Postgres.execute(DATABASE, "update agent_sessions set turn_id = " + turn + " where id = " + session);
        Postgres.execute(
                DATABASE,
                "insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, state, position)"
                        + " select next_id(), workspace_id, chat_id, id, turn_id, 'question', 'Why?', 'open', 1"
                        + " from agent_sessions where id = " + session);
    }

    /** Whoever edits members holds the workspace, for which a creation waits. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"agent-sessions | {\"agent_type\":\"planner\",\"model\":\"m\"}", "chats | {}"})
    void aCreationThatWaitedForTheRemovalIsRefused(String what, String body) throws Exception {
        Api.Reply reply = overtaken(
                "select from workspaces where id = '" + workspace + "' for update",
                "delete from workspace_members where workspace_id = '" + workspace + "' and user_id = '"
                        + member.userId() + "'",
                () -> member.post("/workspaces/" + workspace + "/" + what, body));

        reply.expectProblem(403, "FORBIDDEN");
        assertThat(owner.get("/workspaces/" + workspace)
                        .expect(200)
                        .at("/workspace/live_sessions")
                        .asInt())
                .isZero();
    }

    @Test
    void nothingIsDoneAfterTheRemovalIsAnswered() {
        for (int round = 0; round < 30; round++) {
            String id = member.newExternalSession(workspace).get("id").asText();
            List<Api.Reply> replies = AtOnce.run(6, i -> {
                if (i == 3) {
                    Api.Reply removal = owner.delete(membership);
                    assertThat(owner.get("/agent-sessions/" + id).status())
                            .as("whose owner is gone is the workspace's owner's to read")
                            .isEqualTo(200);
                    return removal;
                }
                return member.command(id, i % 2 == 0 ? "start" : "pause", "{}");
            });

            replies.get(3).expect(200);
            replies.remove(3);
            assertThat(replies).allSatisfy(reply -> assertThat(reply.status()).isIn(200, 403, 409));
            long changes = owner.session(id).get("version").asLong() - 1;
            assertThat(replies.stream().filter(reply -> reply.status() == 200).count())
                    .as("each change was told to who made it, or was a repeat")
                    .isGreaterThanOrEqualTo(changes);
            member.command(id, "yield", "{}").expectProblem(403, "FORBIDDEN");
            assertThat(owner.session(id).get("version").asLong() - 1).isEqualTo(changes);
            owner.delete("/agent-sessions/" + id).expect(200);
            owner.addMember(workspace, member, "member");
        }
    }
}
