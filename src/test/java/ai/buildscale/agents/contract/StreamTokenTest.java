package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.is;

import ai.buildscale.agents.event.Chat;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.ValidatableResponse;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens for EventSource, which sends no headers. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class StreamTokenTest {
    private final Api nobody = Api.withToken(Service.ofQuarkus(), null, null);
    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();
    private final Chat chat = Chat.open(owner, workspace);

    private String token(Api caller) {
        return caller.given()
                .body(Map.of("path", "/api/v1" + chat.path()))
                .post("/stream-tokens")
                .then()
                .statusCode(200)
                .body("expires_in", is(60))
                .extract()
                .path("stream_token");
    }

    private String query() {
        return "?stream_token=" + token(owner);
    }

    private ValidatableResponse get(String path) {
        return nobody.given().get(path).then();
    }

    private ValidatableResponse resume(String path, String lastId) {
        return nobody.given().header("Last-Event-ID", lastId).get(path).then();
    }

    /** All times of the owner's tokens lie so much earlier. */
    private void passes(String time) {
        assertThat(Postgres.execute(
                        PostgresResource.database(),
                        "update stream_tokens set expires_at = expires_at - interval '" + time
                                + "', caller_expires_at = caller_expires_at - interval '" + time
                                + "' where user_id = ?",
                        owner.userId()))
                .isPositive();
    }

    @Test
    void opensItsStreamAsOftenAsOneLikes() {
        String token = token(owner);
        try (SseStream first = nobody.stream(chat.path() + "?stream_token=" + token);
                SseStream second = nobody.stream(chat.path() + "?snapshot=true&stream_token=" + token);
                SseStream resumed =
                        nobody.stream(chat.path() + "?stream_token=" + token, "Last-Event-ID", chat.idOf(1))) {
            chat.does("start");

            for (SseStream stream : List.of(first, second, resumed)) {
                assertThat(stream.awaitStatus("running").text("session_id")).isEqualTo(chat.sessionId());
            }
        }
    }

    @Test
    void isGoodForNoOtherPath() {
        Chat other = Chat.open(owner, workspace);
        String token = token(owner);
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
            assertThat(nobody.given().get(path + query).statusCode()).as(path).isEqualTo(401);
        }
        nobody.given()
                .delete("/agent-sessions/" + chat.sessionId() + query)
                .then()
                .spec(problem(401, "INVALID_TOKEN"));
        nobody.given()
                .body(Map.of("path", "/api/v1" + other.path()))
                .post("/stream-tokens" + query)
                .then()
                .spec(problem(401, "INVALID_TOKEN"));
        nobody.given()
                .header("Authorization", "Bearer " + token)
                .get(chat.path())
                .then()
                .spec(problem(401, "INVALID_TOKEN"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "PUT", "PATCH", "DELETE"})
    void isNoOtherKindOfCallOnItsPath(String method) {
        nobody.given()
                .body(Map.of())
                .request(method, chat.path() + query())
                .then()
                .statusCode(405);
    }

    @Test
    void opensNothingOnceItsTimeIsOver() {
        String query = query();
        passes("61 seconds");

        get(chat.path() + query).spec(problem(401, "INVALID_TOKEN"));
    }

    /** A browser's automatic reconnect works all day. */
    @Test
    void opensItsStreamAgainForAsLongAsTheCallersOwnTokenIsValid() {
        String query = query();
        String position;
        try (SseStream cut = nobody.stream(chat.path() + query)) {
            position = cut.awaitOpen().id();
        }
        passes("61 seconds");
        chat.does("start");
        try (SseStream again = nobody.stream(chat.path() + query);
                SseStream resumed = nobody.stream(chat.path() + query, "Last-Event-ID", position)) {
            again.awaitOpen();
            assertThat(resumed.awaitStatus("running").text("session_id")).isEqualTo(chat.sessionId());
        }
        get("/workspaces/" + workspace + "/events" + query).spec(problem(401, "INVALID_TOKEN"));

        // the tests' tokens live for hours, not for days
        passes("2 days");
        resume(chat.path() + query, position).spec(problem(401, "INVALID_TOKEN"));
    }

    @Test
    void opensNothingAgainForSomebodyWhoHasLeft() {
        Api member = owner.newMember(workspace, "viewer");
        String query = "?stream_token=" + token(member);
        try (SseStream open = nobody.stream(chat.path() + query)) {
            String position = open.awaitOpen().id();

            owner.given()
                    .delete("/workspaces/{id}/members/{user}", workspace, member.userId())
                    .then()
                    .statusCode(200);

            resume(chat.path() + query, position).spec(problem(403, "FORBIDDEN"));
        }
    }

    @Test
    void carriesNoMoreRightsThanItsUser() {
        String query = "?stream_token=" + token(Api.newUser());

        get(chat.path() + query).spec(problem(403, "FORBIDDEN"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "%00", "%E2%82%AC", "null"})
    void anythingElseIsRefused(String token) {
        get(chat.path() + "?stream_token=" + token).spec(problem(401, "INVALID_TOKEN"));
    }

    @Test
    void isKeptAsAHashOnly() {
        String token = token(owner);

        assertThat(Postgres.query(
                        PostgresResource.database(),
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
        owner.given().body(body).post("/stream-tokens").then().spec(invalid("path"));
    }
}
