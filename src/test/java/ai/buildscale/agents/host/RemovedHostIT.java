package ai.buildscale.agents.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.sql.Connection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A host of agents elsewhere whose user is no member of a chat's workspace any more, or only views it. */
class RemovedHostIT {
    private static final Service SERVICE = Service.shared();

    private final Api owner = Api.user(SERVICE, "agent-host");
    private final Api member = Api.user(SERVICE, "agent-host");
    private final String workspace = owner.newWorkspace();
    private final String membership = "/workspaces/" + workspace + "/members/" + member.userId();

    RemovedHostIT() {
        owner.addMember(workspace, member, "member");
    }

    private Talk talk() {
        return Talk.begin(owner, workspace, "{\"hosting\":\"external\"}");
    }

    private void end(boolean removed) {
        (removed ? owner.delete(membership) : owner.patch(membership, "{\"role\":\"viewer\"}")).expect(200);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void isGivenNothingAndSaysNothing(boolean removed) {
        Talk talk = talk();
        Host host = Host.register(member, "");
        talk.say("Go");
        JsonNode work = host.next();
        host.tell(work, Host.chunk("one ")).expect(200);
        end(removed);
        List<JsonNode> before = owner.history(talk.sessionId());
        Talk another = talk();
        another.say("Go");

        host.tell(work, Host.chunk("late")).expectProblem(403, "FORBIDDEN");
        host.tell(work, "{\"event\":\"thought\",\"text\":\"late\"}").expectProblem(403, "FORBIDDEN");
        host.result(work, "done", ",\"message\":\"late\"").expectProblem(403, "FORBIDDEN");
        host.result(work, "paused", "").expectProblem(403, "FORBIDDEN");
        JsonNode beat = host.beat(work);
        assertThat(beat.get("lease_extended").asBoolean()).isFalse();
        assertThat(beat.get("desired_status").asText()).isEqualTo("idle");
        assertThat(beat.get("epoch").isNull()).isTrue();
        assertThat(host.ask(0, 10)).isEmpty();

        assertThat(owner.history(talk.sessionId())).isEqualTo(before);
        silence(work);
        List<JsonNode> taken = Host.register(owner, "").ask(10, 10);
        assertThat(taken).anySatisfy(one -> {
            assertThat(one.get("turn_id")).isEqualTo(work.get("turn_id"));
            assertThat(one.get("said").asText()).isEqualTo("one ");
        });
    }

    /** Lets the lease of the turn's host be over. */
    private static void silence(JsonNode work) {
        Postgres.execute(
                SERVICE.databaseUrl(),
                "update turns set lease_until = now() where id = ?::uuid",
                work.get("turn_id").asText());
    }

    @Test
    void isAsBeforeWithItsOtherWorkspaces() {
        Host host = Host.register(member, "");
        Talk here = talk();
        Talk elsewhere = Talk.begin(member, member.newWorkspace(), "{\"hosting\":\"external\"}");
        end(true);
        here.say("Go");
        elsewhere.say("Go");

        JsonNode work = host.next();

        assertThat(work.get("chat_id").asText()).isEqualTo(elsewhere.chatId());
        assertThat(host.wanted(work)).isEqualTo("running");
        host.result(work, "done", ",\"message\":\"x\"").expect(200);
        assertThat(host.ask(0, 10)).isEmpty();
    }

    @Test
    void ofAnOperatorServesAllStill() {
        Api operator = Api.user(SERVICE, "agent-host", "admin");
        owner.addMember(workspace, operator, "member");
        Host host = Host.register(operator, ",\"models\":[\"of the operator\"]");
        Talk talk = Talk.begin(owner, workspace, "{\"hosting\":\"external\",\"model\":\"of the operator\"}");
        talk.say("Go");
        JsonNode work = host.next();
        owner.delete("/workspaces/" + workspace + "/members/" + operator.userId())
                .expect(200);

        assertThat(host.wanted(work)).isEqualTo("running");
        host.tell(work, Host.chunk("one")).expect(200);
        host.result(work, "done", "").expect(200);
    }

    @Test
    void isNotAnsweredAgain() {
        Talk talk = talk();
        Host host = Host.register(member, "");
        talk.say("Go");
        JsonNode work = host.next();
        String turn = host.path() + "/turns/" + work.get("turn_id").asText();
        String events = "{\"epoch\":2,\"events\":[" + Host.chunk("one") + "]}";
        String beats = "{\"turns\":[{\"turn_id\":" + work.get("turn_id") + ",\"epoch\":2}]}";
        member.post(turn + "/events", events, "Idempotency-Key", "e").expect(200);
        member.post(host.path() + "/heartbeat", beats, "Idempotency-Key", "b").expect(200);
        member.post(turn + "/result", "{\"epoch\":2,\"outcome\":\"done\"}", "Idempotency-Key", "r")
                .expect(200);
        member.post(turn + "/events", events, "Idempotency-Key", "e").expect(200);

        end(true);

        member.post(turn + "/events", events, "Idempotency-Key", "e").expectProblem(403, "FORBIDDEN");
        member.post(host.path() + "/heartbeat", beats, "Idempotency-Key", "b").expectProblem(403, "FORBIDDEN");
        member.post(turn + "/result", "{\"epoch\":2,\"outcome\":\"done\"}", "Idempotency-Key", "r")
                .expectProblem(403, "FORBIDDEN");
    }

    /** The removal is committed while the host's words wait for the turn. */
    @Test
    void isRefusedWhatWaitedForItsTurn() throws Exception {
        Talk talk = talk();
        Host host = Host.register(member, "");
        talk.say("Go");
        JsonNode work = host.next();
        try (Connection other = Postgres.connect(SERVICE.databaseUrl())) {
            other.setAutoCommit(false);
            try (var lock = other.prepareStatement(
                    "select from agent_sessions where id = '" + talk.sessionId() + "' for update")) {
                lock.execute();
            }
            CompletableFuture<Api.Reply> late =
                    CompletableFuture.supplyAsync(() -> host.tell(work, Host.chunk("late")));
            await().until(() -> !Postgres.query(
                            SERVICE.databaseUrl(),
                            "select from pg_stat_activity where datname = current_database()"
                                    + " and wait_event_type = 'Lock' and application_name = 'agent-sessions'")
                    .isEmpty());
            end(true);
            other.rollback();

            late.get().expectProblem(403, "FORBIDDEN");
        }
        assertThat(owner.session(talk.sessionId()).get("status").asText()).isEqualTo("running");
    }
}
