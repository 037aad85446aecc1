package ai.buildscale.agents.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.net.http.HttpHeaders;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the document does not have fails the test that sees it. */
class ApiContractTest {
    private static final String MEMBER = """
            {"member":{"workspace_id":"0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d",\
            "user_id":"0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2e","role":"viewer",\
            "created_at":"2026-01-01T12:00:00.000Z","updated_at":"2026-01-01T12:00:00.000Z"}}""";
    private static final String MEMBERS = "/api/v1/workspaces/0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d/members";

    private static Api.Reply reply(int status, String text, Map<String, String> headers) {
        Map<String, List<String>> all = headers.entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, header -> List.of(header.getValue())));
        return new Api.Reply(status, HttpHeaders.of(all, (_, _) -> true), text);
    }

    private static void check(ApiContract contract, String path, int status, String text) {
        contract.check("GET", path, reply(status, text, Map.of("content-type", "application/json;charset=UTF-8")));
    }

    @Test
    void takesWhatIsDocumented() {
        assertThatCode(() -> check(ApiContract.AS_DOCUMENTED, MEMBERS + "/me?x=y", 200, MEMBER))
                .doesNotThrowAnyException();
        assertThatCode(() -> check(ApiContract.AS_DOCUMENTED, "/api/v1/nothing", 200, "[]"))
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'\"role\"'    | '\"rule\"'                 | no field .member.role; the field .member.rule",
                "viewer        | guest                      | .member.role = \"guest\"",
                "'\"viewer\"'  | null                       | .member.role = null",
                "b1c2e         | b1c2                       | .member.user_id",
                "T12:          | ' '                        | .member.created_at",
                "'{\"member\"' | '{\"more\":[],\"member\"'  | the field .more",
            })
    void refusesAnotherBody(String part, String other, String complaint) {
        assertThatThrownBy(() ->
                        check(ApiContract.AS_DOCUMENTED, MEMBERS + "/me", 200, MEMBER.replace(part.strip(), other)))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining(complaint);
    }

    @Test
    void refusesAnotherStatusHeaderOrMediaType() {
        assertThatThrownBy(() -> check(ApiContract.AS_DOCUMENTED, MEMBERS + "/me", 202, MEMBER))
                .hasMessageContaining("the status 202");
        assertThatThrownBy(() -> check(ApiContract.AS_DOCUMENTED, MEMBERS + "/me", 404, "{}"))
                .hasMessageContaining("the media type application/json");
        Api.Reply added = reply(201, MEMBER, Map.of("content-type", "application/json", "retry-after", "1"));
        assertThatThrownBy(() -> ApiContract.AS_DOCUMENTED.check("POST", MEMBERS, added))
                .hasMessageContaining("no header Location")
                .hasMessageContaining("the header Retry-After");
    }

    @Test
    void newerServersKnowMoreValuesButNoOtherFields() {
        assertThatCode(() -> check(ApiContract.AMONG_NEWER, MEMBERS + "/me", 200, MEMBER.replace("viewer", "guest")))
                .doesNotThrowAnyException();
        assertThatThrownBy(() ->
                        check(ApiContract.AMONG_NEWER, MEMBERS + "/me", 200, MEMBER.replace("\"role\"", "\"rule\"")))
                .isInstanceOf(AssertionError.class);
    }

    @Test
    void knowsEvents() throws JsonProcessingException {
        assertThat(ApiContract.AS_DOCUMENTED.wrongEvent(
                        "StreamEvents", "reset", Api.JSON.readTree("{\"reason\":\"position_no_longer_held\"}")))
                .isEmpty();
        assertThat(ApiContract.AS_DOCUMENTED.wrongEvent("StreamEvents", "reset", Api.JSON.readTree("{}")))
                .containsExactly("no field reset.reason");
        assertThat(ApiContract.AS_DOCUMENTED.wrongEvent("StreamEvents", "work", Api.JSON.readTree("{}")))
                .containsExactly("the event work");
    }
}
