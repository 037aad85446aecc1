package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.everyItem;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.nullValue;
import static org.hamcrest.Matchers.startsWith;

import ai.buildscale.agents.chat.Talk;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.PostgresResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Chats as what they are: made, listed, changed, and for members only. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class ChatTest {
    private static final Map<String, String> HELLO = Map.of("content", "/say hello");

    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();
    private final String chats = "/workspaces/" + workspace + "/chats";

    private Talk talk() {
        return Talk.begin(owner, workspace);
    }

    private static Response say(Api caller, String chat, String content) {
        return caller.given().body(Map.of("content", content)).post(chat);
    }

    private static Response answer(Api caller, String chat) {
        return caller.given().body(Map.of("answer", 1)).post(chat + "/answers");
    }

    private static Response rename(Api caller, String chat) {
        return caller.given().body(Map.of("name", "x")).patch(chat);
    }

    @Test
    void aChatComesWithItsIdleSession() {
        Map<String, String> made = owner.given()
                .body(Map.of(
                        "goal", "Ship it",
                        "agent_type", "planner",
                        "name", "Release",
                        "on_busy", "reject",
                        "labels", Map.of("team", "a")))
                .post(chats)
                .then()
                .statusCode(201)
                .extract()
                .path("$");

        owner.given()
                .get(chats + "/" + made.get("chat_id"))
                .then()
                .statusCode(200)
                .body("chat.id", is(made.get("chat_id")))
                .body("chat.goal", is("Ship it"))
                .body("chat.name", is("Release"))
                .body("chat.agent_type", is("planner"))
                .body("chat.mode", is("plan"))
                .body("chat.model", is("scripted"))
                .body("chat.hosting", is("server"))
                .body("chat.on_busy", is("reject"))
                .body("session.id", is(made.get("session_id")))
                .body("session.status", is("idle"))
                .body("session.chat_id", is(made.get("chat_id")))
                .body("session.chat_name", is("Release"))
                .body("session.labels.team", is("a"))
                .body("messages", empty())
                .body("next_before", nullValue());
    }

    @Test
    void thoseLastTalkedInAreListedFirst() {
        List<Talk> talks = List.of(talk(), talk(), talk(), talk());
        talks.get(1).say("/say hello");

        String next = owner.given()
                .get(chats + "?limit=3")
                .then()
                .statusCode(200)
                .body(
                        "chats.id",
                        contains(
                                talks.get(1).chatId(),
                                talks.get(3).chatId(),
                                talks.get(2).chatId()))
                .extract()
                .path("next_cursor");

        owner.given()
                .get(chats + "?limit=3&cursor=" + next)
                .then()
                .statusCode(200)
                .body("chats.id", contains(talks.get(0).chatId()))
                .body("next_cursor", nullValue());
    }

    @Test
    void whatIsChangedIsChangedInItsSessionToo() {
        Talk talk = talk();
        try (var stream = talk.stream()) {
            owner.given()
                    .body(Map.of("name", "New", "mode", "build", "model", "scripted-2"))
                    .patch(talk.path())
                    .then()
                    .statusCode(200)
                    .body("chat.name", is("New"));

            owner.given()
                    .get("/agent-sessions/{id}", talk.sessionId())
                    .then()
                    .statusCode(200)
                    .body("session.chat_name", is("New"))
                    .body("session.mode", is("build"))
                    .body("session.model", is("scripted-2"))
                    .body("session.version", is(2));
            assertThat(stream.await(event -> event.type().equals("mode_changed"))
                            .text("previous_mode"))
                    .isEqualTo("chat");
        }

        owner.given().body("{\"name\":null}").patch(talk.path()).then().statusCode(200);

        owner.given().get(talk.path()).then().statusCode(200).body("chat.name", nullValue());
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
        String chat = talk().chatId();

        Response reply =
                owner.given().body(body).request(method, "/workspaces/" + workspace + path.replace("{c}", chat));

        reply.then()
                .spec(problem(400, "VALIDATION_ERROR"))
                .body("fields*.key", not(empty()))
                .body("fields*.key", everyItem(startsWith(field)));
    }

    @Test
    void aMessageMayBeLongButNotTooLong() {
        String chat = talk().path();

        say(owner, chat, "x".repeat(65_536)).then().statusCode(202);
        say(owner, chat, "x".repeat(65_537)).then().spec(problem(400, "VALIDATION_ERROR"));
    }

    @Test
    void membersMayTalkAndStrangersMayNot() {
        Talk talk = talk();
        String chat = talk.path();
        Api stranger = Api.newUser();
        Api viewer = owner.newMember(workspace, "viewer");
        Api member = owner.newMember(workspace, "member");

        for (String path :
                List.of(chat, "/workspaces/" + workspace + "/attention", "/workspaces/" + workspace + "/usage")) {
            stranger.given().get(path).then().spec(problem(403, "FORBIDDEN"));
        }
        for (Api other : List.of(stranger, viewer)) {
            say(other, chat, "hello").then().spec(problem(403, "FORBIDDEN"));
            other.given().post(chat + "/stop").then().spec(problem(403, "FORBIDDEN"));
            answer(other, chat).then().spec(problem(403, "FORBIDDEN"));
            rename(other, chat).then().spec(problem(403, "FORBIDDEN"));
            other.given().body("{}").post(chats).then().spec(problem(403, "FORBIDDEN"));
        }
        viewer.given().get(chat).then().statusCode(200);
        say(member, chat, "/say hello").then().statusCode(202);
        member.given().post(chat + "/stop").then().statusCode(200);
        assertThat(talk.told()).first().isEqualTo("user: /say hello");
    }

    @Test
    void whatIsNotThereIs404() {
        String elsewhere = "/workspaces/" + owner.newWorkspace() + "/chats/" + talk().chatId();
        String none = chats + "/" + UUID.randomUUID();

        owner.given().get(none).then().spec(problem(404, "NOT_FOUND"));
        say(owner, none, "x").then().spec(problem(404, "NOT_FOUND"));
        owner.given().post(none + "/stop").then().spec(problem(404, "NOT_FOUND"));
        answer(owner, none).then().spec(problem(404, "NOT_FOUND"));
        rename(owner, none).then().spec(problem(404, "NOT_FOUND"));
        owner.given().get(elsewhere).then().spec(problem(404, "NOT_FOUND"));
    }

    @Test
    void oneKeyMakesOneChatAndOneMessage() {
        String key = UUID.randomUUID().toString();
        Response made = owner.given(key).body("{}").post(chats);
        made.then().statusCode(201);
        owner.given(key).body("{}").post(chats).then().statusCode(201).body(is(made.asString()));
        owner.given(key).body(Map.of("name", "x")).post(chats).then().spec(problem(422, "IDEMPOTENCY_MISMATCH"));

        String chat = chats + "/" + made.path("chat_id");
        Response accepted = owner.given(key + 1).body(HELLO).post(chat);
        accepted.then().statusCode(202);
        owner.given(key + 1).body(HELLO).post(chat).then().statusCode(202).body(is(accepted.asString()));
        owner.given().get(chat).then().statusCode(200).body("messages.findAll { it.kind == 'user' }", hasSize(1));
    }
}
