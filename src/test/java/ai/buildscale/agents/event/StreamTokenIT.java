package ai.buildscale.agents.event;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens for EventSource, which sends no headers. */
class StreamTokenIT {
    private static final Service SERVICE = Service.shared();
    private static final Api NOBODY = Api.withToken(SERVICE, null, null);

    private final Api owner = Api.user(SERVICE);
    private final String workspace = owner.newWorkspace();
    private Chat chat;

    @BeforeEach
    void openChat() {
        chat = Chat.open(owner, workspace);
    }

    private String token(String path) {
        JsonNode answer = owner.post("/stream-tokens", "{\"path\":\"/api/v1" + path + "\"}")
                .expect(200);
        assertThat(answer.get("expires_in").asInt()).isEqualTo(60);
        return answer.get("stream_token").asText();
    }

    /** All times of the owner's tokens lie so much earlier. */
    private void passes(String time) {
        assertThat(Postgres.execute(
                        SERVICE.databaseUrl(),
                        "update stream_tokens set expires_at = expires_at - interval '" + time
                                + "', caller_expires_at = caller_expires_at - interval '" + time
                                + "' where user_id = ?",
                        owner.userId()))
                .isPositive();
    }

    @Test
    void opensItsStreamAsOftenAsOneLikes() {
        String token = token(chat.path());
        try (SseStream first = NOBODY.stream(chat.path() + "?stream_token=" + token);
                SseStream second = NOBODY.stream(chat.path() + "?snapshot=true&stream_token=" + token);
                SseStream resumed =
                        NOBODY.stream(chat.path() + "?stream_token=" + token, "Last-Event-ID", chat.idOf(1))) {
            chat.does("start");

            for (SseStream stream : List.of(first, second, resumed)) {
                assertThat(stream.awaitStatus("running").text("session_id")).isEqualTo(chat.sessionId());
            }
        }
    }

    @Test
    void isGoodForNoOtherPath() {
        Chat other = Chat.open(owner, workspace);
        String token = token(chat.path());
        String query = "?stream_token=" + token;

        for (String path : List.of(
                other.path(),
                "/workspaces/" + workspace + "/events",
                "/workspaces/" + workspace,
                "/workspaces",
                "/agent-sessions/" + chat.sessionId(),
                "/agent-sessions/" + chat.sessionId() + "/events",
                chat.path() + "/",
                chat.path() + "/..")) {
            assertThat(NOBODY.get(path + query).status()).as(path).isEqualTo(401);
        }
        NOBODY.delete("/agent-sessions/" + chat.sessionId() + query).expectProblem(401, "INVALID_TOKEN");
        NOBODY.post("/stream-tokens" + query, "{\"path\":\"/api/v1" + other.path() + "\"}")
                .expectProblem(401, "INVALID_TOKEN");
        NOBODY.get(chat.path(), "Authorization", "Bearer " + token).expectProblem(401, "INVALID_TOKEN");
    }

    @Test
    void isNoOtherKindOfCallOnItsPath() {
        String query = "?stream_token=" + token(chat.path());

        for (String method : List.of("POST", "PUT", "PATCH", "DELETE")) {
            assertThat(NOBODY.send(method, chat.path() + query, "{}").status())
                    .as(method)
                    .isEqualTo(405);
        }
    }

    @Test
    void opensNothingOnceItsTimeIsOver() {
        String query = "?stream_token=" + token(chat.path());
        passes("61 seconds");

        NOBODY.get(chat.path() + query).expectProblem(401, "INVALID_TOKEN");
    }

    /** A browser's automatic reconnect works all day. */
    @Test
    void opensItsStreamAgainForAsLongAsTheCallersOwnTokenIsValid() {
        String query = "?stream_token=" + token(chat.path());
        String position;
        try (SseStream cut = NOBODY.stream(chat.path() + query)) {
            position = cut.awaitOpen().id();
        }
        passes("61 seconds");
        chat.does("start");
        try (SseStream again = NOBODY.stream(chat.path() + query);
                SseStream resumed = NOBODY.stream(chat.path() + query, "Last-Event-ID", position)) {
            again.awaitOpen();
            assertThat(resumed.awaitStatus("running").text("session_id")).isEqualTo(chat.sessionId());
        }
        NOBODY.get("/workspaces/" + workspace + "/events" + query).expectProblem(401, "INVALID_TOKEN");

        // the tests' tokens live for hours, not for days
        passes("2 days");
        NOBODY.get(chat.path() + query, "Last-Event-ID", position).expectProblem(401, "INVALID_TOKEN");
    }

    @Test
    void opensNothingAgainForSomebodyWhoHasLeft() {
        Api member = Api.user(SERVICE);
        owner.addMember(workspace, member, "viewer");
        String query = "?stream_token="
                + member.post("/stream-tokens", "{\"path\":\"/api/v1" + chat.path() + "\"}")
                        .expect(200)
                        .get("stream_token")
                        .asText();
        try (SseStream open = NOBODY.stream(chat.path() + query)) {
            String position = open.awaitOpen().id();
            owner.delete("/workspaces/" + workspace + "/members/" + member.userId());

            NOBODY.get(chat.path() + query, "Last-Event-ID", position).expectProblem(403, "FORBIDDEN");
        }
    }

    @Test
    void carriesNoMoreRightsThanItsUser() {
        Api stranger = Api.user(SERVICE);
        String token = stranger.post("/stream-tokens", "{\"path\":\"/api/v1" + chat.path() + "\"}")
                .expect(200)
                .get("stream_token")
                .asText();

        NOBODY.get(chat.path() + "?stream_token=" + token).expectProblem(403, "FORBIDDEN");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "%00", "%E2%82%AC", "null"})
    void anythingElseIsRefused(String token) {
        NOBODY.get(chat.path() + "?stream_token=" + token).expectProblem(401, "INVALID_TOKEN");
    }

    @Test
    void isKeptAsAHashOnly() {
        String token = token(chat.path());

        assertThat(Postgres.query(
                        SERVICE.databaseUrl(),
                        "select t::text as row from stream_tokens t where user_id = '" + owner.userId() + "'"))
                .hasSize(1)
                .allSatisfy(row -> assertThat(row.get("row").toString()).doesNotContain(token));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"path\":null}",
                "{\"path\":\"/api/v1/workspaces\"}",
                "{\"path\":\"/api/v1/workspaces/1/events\"}",
                "{\"path\":\"/workspaces/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/events\"}",
                "{\"path\":\"/api/v1/workspaces/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/events?snapshot=true\"}",
                "{\"path\":\"/api/v1/workspaces/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/events\\n\"}",
                "{\"path\":\"/api/v1/agent-sessions/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/events\"}"
            })
    void isIssuedForStreamsOnly(String body) {
        JsonNode problem = owner.post("/stream-tokens", body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields").has("path")).isTrue();
    }
}
