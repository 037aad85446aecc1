package ai.buildscale.agents.platform.http;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Conditional requests as clients behind proxies send them. The session's version is 2. */
class EntityTagsIT {
    private static final Api OWNER = Api.user(Service.shared());
    private static final String WORKSPACE = OWNER.newWorkspace();

    private final String id = OWNER.newSession(WORKSPACE).get("id").asText();
    private final String path = "/agent-sessions/" + id;

    EntityTagsIT() {
        OWNER.patch(path, "{\"current_task\":\"first\"}").expect(200);
    }

    private long version() {
        Api.Reply read = OWNER.get(path);
        long version = read.expect(200).at("/session/version").asLong();
        assertThat(read.header("etag")).as("strong").isEqualTo("\"v" + version + "\"");
        return version;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"\"v2\"", "W/\"v2\"", "\"v1\", \"v2\"", "W/\"v9\",W/\"v2\"", "\"a,b\" , \"v2\"", "*", "\"v2\","})
    void aMatchIsCarriedOut(String ifMatch) {
        OWNER.patch(path, "{\"current_task\":\"second\"}", "If-Match", ifMatch).expect(200);
        assertThat(version()).isEqualTo(3);

        String now = ifMatch.replace("v2", "v3");
        OWNER.post(path + "/pause", "{}", "If-Match", now).expect(200);
        OWNER.delete(path, "If-Match", now.replace("v3", "v4")).expect(200);
        assertThat(version()).isEqualTo(5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"v1\"", "W/\"v1\"", "\"v1\", W/\"v3\"", "\"v1\",\"v22\",\"other\""})
    void anotherVersionIsStale(String ifMatch) {
        for (Api.Reply reply : new Api.Reply[] {
            OWNER.patch(path, "{\"current_task\":\"second\"}", "If-Match", ifMatch),
            OWNER.post(path + "/start", "{}", "If-Match", ifMatch),
            OWNER.delete(path, "If-Match", ifMatch)
        }) {
            JsonNode problem = reply.expectProblem(412, "STALE_VERSION");
            assertThat(problem.get("version").asLong()).isEqualTo(2);
        }
        assertThat(version()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"v2", "\"v2", "\"v1\" \"v2\"", "\"v2\", *", "w/\"v2\"", "W/ \"v2\"", "\"two\"", "2", "\"v-2\""})
    void whatCanNeverMatchIsSaidSo(String ifMatch) {
        for (Api.Reply reply : new Api.Reply[] {
            OWNER.patch(path, "{\"current_task\":\"second\"}", "If-Match", ifMatch),
            OWNER.post(path + "/start", "{}", "If-Match", ifMatch),
            OWNER.delete(path, "If-Match", ifMatch)
        }) {
            JsonNode problem = reply.expectProblem(412, "STALE_VERSION");
            assertThat(problem.at("/fields/If-Match").asText()).startsWith("must ");
        }
        assertThat(version()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"v2\" | 304", "W/\"v2\" | 304", "\"v1\", W/\"v2\" | 304", "* | 304", "\"v2\", | 304",
                "\"v1\" | 200", "W/\"v1\" | 200", "\"v1\",\"v3\" | 200", "v2 | 200", "\"v2 | 200"
            })
    void whatTheClientHasIsNotSentAgain(String ifNoneMatch, int status) {
        Api.Reply reply = OWNER.get(path, "If-None-Match", ifNoneMatch);

        assertThat(reply.status()).isEqualTo(status);
        assertThat(reply.header("etag")).isEqualTo("\"v2\"");
        assertThat(reply.text().isEmpty()).isEqualTo(status == 304);
    }
}
