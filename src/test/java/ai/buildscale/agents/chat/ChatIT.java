package ai.buildscale.agents.chat;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Chats as what they are: made, listed, changed, and for members only. */
class ChatIT {
    private static Service service;
    private static Api owner;
    private static String workspace;

    @BeforeAll
    static void begin() {
        service = Service.shared();
        owner = Api.user(service);
        workspace = owner.newWorkspace();
    }

    @Test
    void aChatComesWithItsIdleSession() {
        Talk talk = Talk.begin(
                owner,
                workspace,
                "{\"goal\":\"Ship it\",\"agent_type\":\"planner\",\"name\":\"Release\",\"on_busy\":\"reject\",\"labels\":{\"team\":\"a\"}}");

        JsonNode whole = talk.whole();
        JsonNode chat = whole.get("chat");
        assertThat(chat.get("id").asText()).isEqualTo(talk.chatId());
        assertThat(chat.get("goal").asText()).isEqualTo("Ship it");
        assertThat(chat.get("name").asText()).isEqualTo("Release");
        assertThat(chat.get("agent_type").asText()).isEqualTo("planner");
        assertThat(chat.get("mode").asText()).isEqualTo("plan");
        assertThat(chat.get("model").asText()).isEqualTo("scripted");
        assertThat(chat.get("hosting").asText()).isEqualTo("server");
        assertThat(chat.get("on_busy").asText()).isEqualTo("reject");
        JsonNode session = whole.get("session");
        assertThat(session.get("id").asText()).isEqualTo(talk.sessionId());
        assertThat(session.get("status").asText()).isEqualTo("idle");
        assertThat(session.get("chat_id").asText()).isEqualTo(talk.chatId());
        assertThat(session.get("chat_name").asText()).isEqualTo("Release");
        assertThat(session.at("/labels/team").asText()).isEqualTo("a");
        assertThat(whole.get("messages")).isEmpty();
        assertThat(whole.get("next_before").isNull()).isTrue();
    }

    @Test
    void thoseLastTalkedInAreListedFirst() {
        String own = owner.newWorkspace();
        List<Talk> talks =
                List.of(Talk.begin(owner, own), Talk.begin(owner, own), Talk.begin(owner, own), Talk.begin(owner, own));
        talks.get(1).say("/say hello");

        String first = owner.get("/workspaces/" + own + "/chats?limit=3")
                .expect(200)
                .get("next_cursor")
                .asText();
        List<String> ids = owner.get("/workspaces/" + own + "/chats?limit=3")
                .expect(200)
                .get("chats")
                .findValuesAsText("id");
        JsonNode rest = owner.get("/workspaces/" + own + "/chats?limit=3&cursor=" + first)
                .expect(200);

        assertThat(ids)
                .containsExactly(
                        talks.get(1).chatId(),
                        talks.get(3).chatId(),
                        talks.get(2).chatId());
        assertThat(rest.get("chats").findValuesAsText("id"))
                .containsExactly(talks.get(0).chatId());
        assertThat(rest.get("next_cursor").isNull()).isTrue();
    }

    @Test
    void whatIsChangedIsChangedInItsSessionToo() {
        Talk talk = Talk.begin(owner, workspace);
        try (var stream = talk.stream()) {
            JsonNode changed = owner.patch(
                            talk.path(), "{\"name\":\"New\",\"mode\":\"build\",\"model\":\"scripted-2\"}")
                    .expect(200)
                    .get("chat");

            assertThat(changed.get("name").asText()).isEqualTo("New");
            JsonNode session = talk.session();
            assertThat(session.get("chat_name").asText()).isEqualTo("New");
            assertThat(session.get("mode").asText()).isEqualTo("build");
            assertThat(session.get("model").asText()).isEqualTo("scripted-2");
            assertThat(session.get("version").asInt()).isEqualTo(2);
            assertThat(stream.await(event -> event.type().equals("mode_changed"))
                            .text("previous_mode"))
                    .isEqualTo("chat");
        }
        owner.patch(talk.path(), "{\"name\":null}").expect(200);
        assertThat(talk.whole().at("/chat/name").isNull()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            POST  | /chats        | {"agent_type":"cook"}          | agent_type
            POST  | /chats        | {"model":" "}                  | model
            POST  | /chats        | {"model":"nobody-has-this"}    | model
            POST  | /chats        | {"mode":"sleep"}               | mode
            POST  | /chats        | {"on_busy":"cry"}              | on_busy
            POST  | /chats        | {"status":"running"}           | status
            POST  | /chats        | {"budget":{"max_turns":-1}}    | budget.max_turns
            POST  | /chats        | {"labels":{"a":1}}             | labels
            POST  | /chats/{c}    | {}                             | content
            POST  | /chats/{c}    | {"content":""}                 | content
            POST  | /chats/{c}    | {"content":"\\u0000"}           | content
            POST  | /chats/{c}    | {"content":"\\ud800"}           | content
            POST  | /chats/{c}    | {"content":"x","on_busy":1}    | on_busy
            PATCH | /chats/{c}    | {}                             | body
            PATCH | /chats/{c}    | {"model":null}                 | model
            PATCH | /chats/{c}    | {"model":"nobody-has-this"}    | model
            PATCH | /chats/{c}    | {"goal":"other"}               | goal
            POST  | /chats/{c}/answers | {}                        | answer
            """)
    void whatIsWrongIsNamed(String method, String path, String body, String field) {
        Talk talk = Talk.begin(owner, workspace);
        JsonNode problem = owner.send(method, "/workspaces/" + workspace + path.replace("{c}", talk.chatId()), body)
                .expectProblem(400, "VALIDATION_ERROR");
        assertThat(problem.get("fields").fieldNames().next()).startsWith(field);
    }

    @Test
    void aMessageMayBeLongButNotTooLong() {
        Talk talk = Talk.begin(owner, workspace);
        talk.post("x".repeat(65_536), null).expect(202);
        talk.post("x".repeat(65_537), null).expectProblem(400, "VALIDATION_ERROR");
    }

    @Test
    void membersMayTalkAndStrangersMayNot() {
        Talk talk = Talk.begin(owner, workspace);
        Api stranger = Api.user(service);
        Api viewer = Api.user(service);
        Api member = Api.user(service);
        owner.addMember(workspace, viewer, "viewer");
        owner.addMember(workspace, member, "member");

        for (Talk one : List.of(talk.as(stranger))) {
            one.owner().get(one.path()).expectProblem(403, "FORBIDDEN");
            one.owner().get("/workspaces/" + workspace + "/attention").expectProblem(403, "FORBIDDEN");
            one.owner().get("/workspaces/" + workspace + "/usage").expectProblem(403, "FORBIDDEN");
        }
        for (Talk one : List.of(talk.as(stranger), talk.as(viewer))) {
            one.post("hello", null).expectProblem(403, "FORBIDDEN");
            one.stop().expectProblem(403, "FORBIDDEN");
            one.answer("1").expectProblem(403, "FORBIDDEN");
            one.owner().patch(one.path(), "{\"name\":\"x\"}").expectProblem(403, "FORBIDDEN");
            one.owner().post("/workspaces/" + workspace + "/chats", "{}").expectProblem(403, "FORBIDDEN");
        }
        talk.as(viewer).whole();
        talk.as(member).say("/say hello");
        talk.as(member).stop().expect(200);
        assertThat(talk.told()).first().isEqualTo("user: /say hello");
    }

    @Test
    void whatIsNotThereIs404() {
        String none = "/workspaces/" + workspace + "/chats/" + UUID.randomUUID();
        owner.get(none).expectProblem(404, "NOT_FOUND");
        owner.post(none, "{\"content\":\"x\"}").expectProblem(404, "NOT_FOUND");
        owner.post(none + "/stop", "").expectProblem(404, "NOT_FOUND");
        owner.post(none + "/answers", "{\"answer\":1}").expectProblem(404, "NOT_FOUND");
        owner.patch(none, "{\"name\":\"x\"}").expectProblem(404, "NOT_FOUND");
        // another workspace's
        Talk talk = Talk.begin(owner, workspace);
        owner.get("/workspaces/" + owner.newWorkspace() + "/chats/" + talk.chatId())
                .expectProblem(404, "NOT_FOUND");
    }

    @Test
    void oneKeyMakesOneChatAndOneMessage() {
        String key = UUID.randomUUID().toString();
        String chats = "/workspaces/" + workspace + "/chats";
        JsonNode made = owner.post(chats, "{}", "Idempotency-Key", key).expect(201);
        assertThat(owner.post(chats, "{}", "Idempotency-Key", key).expect(201)).isEqualTo(made);
        owner.post(chats, "{\"name\":\"x\"}", "Idempotency-Key", key).expectProblem(422, "IDEMPOTENCY_MISMATCH");

        String chat = chats + "/" + made.get("chat_id").asText();
        String message = "{\"content\":\"/say hello\"}";
        JsonNode accepted =
                owner.post(chat, message, "Idempotency-Key", key + 1).expect(202);
        assertThat(owner.post(chat, message, "Idempotency-Key", key + 1).expect(202))
                .isEqualTo(accepted);
        assertThat(owner.get(chat).expect(200).get("messages").findValuesAsText("kind").stream()
                        .filter("user"::equals))
                .hasSize(1);
    }
}
