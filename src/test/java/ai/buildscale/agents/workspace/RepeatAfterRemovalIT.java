package ai.buildscale.agents.workspace;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** An answer that was kept under an {@code Idempotency-Key} is for who may see it, not for who could once. */
class RepeatAfterRemovalIT {
    private static final Service SERVICE = Service.shared();

    private final Api owner = Api.user(SERVICE);
    private final Api member = Api.user(SERVICE);
    private final String workspace = owner.newWorkspace();
    private final String path = "/workspaces/" + workspace;

    RepeatAfterRemovalIT() {
        owner.addMember(workspace, member, "admin");
    }

    private Api.Reply post(String to, String body) {
        return member.post(to, body, "Idempotency-Key", "key of " + to);
    }

    private void remove() {
        owner.delete(path + "/members/" + member.userId()).expect(200);
    }

    /** What the member sends, by path. */
    private Map<String, String> requests() {
        String session = member.newExternalSession(workspace).get("id").asText();
        JsonNode chat = member.post(path + "/chats", "{}").expect(201);
        Map<String, String> requests = new LinkedHashMap<>();
        requests.put(path + "/agent-sessions", "{\"agent_type\":\"planner\",\"model\":\"m\"}");
        requests.put(path + "/chats", "{\"goal\":\"secret\"}");
        requests.put(path + "/chats/" + chat.get("chat_id").asText(), "{\"content\":\"secret\"}");
        requests.put(path + "/chats/" + chat.get("chat_id").asText() + "/stop", "");
        requests.put(path + "/members", "{\"user_id\":\"" + UUID.randomUUID() + "\",\"role\":\"viewer\"}");
        requests.put("/agent-sessions/" + session + "/start", "{\"task\":\"secret\"}");
        requests.put("/agent-sessions/" + session + "/heartbeat", "{\"epoch\":1}");
        requests.put("/agent-sessions/heartbeats", "{\"beats\":[{\"id\":\"" + session + "\",\"epoch\":1}]}");
        requests.put("/agent-sessions/" + session + "/resume", "{}");
        return requests;
    }

    @Test
    void isGivenOnlyToWhoMaySeeIt() {
        Map<String, String> requests = requests();
        Map<String, Api.Reply> first = new LinkedHashMap<>();
        requests.forEach((to, body) -> first.put(to, post(to, body)));
        assertThat(first.values())
                .allSatisfy(reply -> assertThat(reply.status()).as(reply.text()).isIn(200, 201, 202, 409));
        requests.forEach((to, body) ->
                assertThat(post(to, body).text()).isEqualTo(first.get(to).text()));

        remove();

        requests.forEach((to, body) -> post(to, body).expectProblem(403, "FORBIDDEN"));
        owner.addMember(workspace, member, "viewer");
        requests.forEach((to, body) ->
                assertThat(post(to, body).text()).as(to).isEqualTo(first.get(to).text()));
    }

    @Test
    void ofAWorkspaceThatWasHandedOverIsGone() {
        JsonNode made = post("/workspaces", "{\"name\":\"Mine\"}").expect(201);
        String mine = "/workspaces/" + made.at("/workspace/id").asText();
        member.addMember(made.at("/workspace/id").asText(), owner, "owner");
        assertThat(post("/workspaces", "{\"name\":\"Mine\"}").expect(201)).isEqualTo(made);
        owner.delete(mine + "/members/" + member.userId()).expect(200);

        post("/workspaces", "{\"name\":\"Mine\"}").expectProblem(403, "FORBIDDEN");

        owner.delete(mine).expect(200);
        assertThat(post("/workspaces", "{\"name\":\"Mine\"}").expect(201))
                .as("what is gone is nobody's to hide")
                .isEqualTo(made);
    }

    /** A beat that was refused the first time does not make the repeat one. */
    @Test
    void ofManyBeatsIsForWhoMaySeeWhatItTells() {
        String own = member.newExternalSession(workspace).get("id").asText();
        String foreign = owner.newExternalSession(workspace).get("id").asText();
        String body = "{\"beats\":[{\"id\":\"" + own + "\",\"epoch\":1},{\"id\":\"" + foreign
                + "\",\"epoch\":1},{\"id\":\"" + UUID.randomUUID() + "\",\"epoch\":1}]}";
        JsonNode first = post("/agent-sessions/heartbeats", body).expect(200);
        assertThat(first.at("/beats/1/code").asText()).isEqualTo("FORBIDDEN");

        assertThat(post("/agent-sessions/heartbeats", body).expect(200)).isEqualTo(first);
        remove();

        post("/agent-sessions/heartbeats", body).expectProblem(403, "FORBIDDEN");
    }

    @Test
    void ofAnOperatorIsForOperators() {
        UUID user = UUID.randomUUID();
        Api operator = Api.withToken(SERVICE, user, Tokens.of(user, "admin"));
        Api resigned = Api.withToken(SERVICE, user, Tokens.of(user));
        String server = operator.get("/servers").expect(200).at("/servers/0/id").asText();
        String uncordon = "/servers/" + server + "/uncordon";
        operator.post(uncordon, null, "Idempotency-Key", "k").expect(200);
        operator.post("/servers/rebalance", "{\"dry_run\":true}", "Idempotency-Key", "r")
                .expect(200);

        operator.post(uncordon, null, "Idempotency-Key", "k").expect(200);
        resigned.post(uncordon, null, "Idempotency-Key", "k").expectProblem(403, "FORBIDDEN");
        resigned.post("/servers/rebalance", "{\"dry_run\":true}", "Idempotency-Key", "r")
                .expectProblem(403, "FORBIDDEN");
    }
}
