package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.nullValue;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.PostgresResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.path.json.JsonPath;
import io.restassured.response.Response;
import io.restassured.response.ValidatableResponse;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A workspace's sessions: filters, totals, pages. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class SessionListTest {
    private final Api owner = Api.newUser();

    /** A workspace of its own for each test, so that totals are exact. */
    private final String workspace = owner.newWorkspace();

    private Response post(Api caller, String agentType, Map<String, ?> more) {
        Map<String, Object> session = new HashMap<>(more);
        session.put("agent_type", agentType);
        session.put("model", "m");
        return caller.given().body(session).post("/workspaces/{id}/agent-sessions", workspace);
    }

    private String create(Api caller, String agentType, Map<String, ?> more) {
        return post(caller, agentType, more).then().statusCode(201).extract().path("session.id");
    }

    private String create(String agentType) {
        return create(owner, agentType, Map.of());
    }

    private String labelled(String agentType, Map<String, String> labels) {
        return create(owner, agentType, Map.of("labels", labels));
    }

    private void command(String id, String command, Object body) {
        owner.given()
                .body(body)
                .post("/agent-sessions/{id}/{command}", id, command)
                .then()
                .statusCode(200);
    }

    private String cancel(String id) {
        return owner.given()
                .delete("/agent-sessions/{id}", id)
                .then()
                .statusCode(200)
                .extract()
                .path("session.id");
    }

    private ValidatableResponse get(Api caller, String query) {
        return caller.given()
                .get("/workspaces/" + workspace + "/agent-sessions" + query)
                .then();
    }

    private JsonPath list(String query) {
        return get(owner, query).statusCode(200).extract().jsonPath();
    }

    private static List<String> ids(JsonPath page) {
        return page.getList("sessions.id");
    }

    private void assertListed(String query, String... ids) {
        JsonPath page = list(query);
        assertThat(ids(page)).as(query).containsExactlyInAnyOrder(ids);
        assertThat(page.getInt("total")).as("total of " + query).isEqualTo(ids.length);
    }

    @Test
    void anEmptyWorkspaceHasAnEmptyPage() {
        get(owner, "")
                .statusCode(200)
                .body("sessions", empty())
                .body("total", is(0))
                .body("next_cursor", nullValue());
    }

    @Test
    void showsEachSessionAsItIsReadAlone() {
        String id =
                create(owner, "planner", Map.of("task", "Think", "labels", Map.of("a", "b"), "hosting", "external"));

        Map<String, Object> alone = owner.given()
                .get("/agent-sessions/{id}", id)
                .then()
                .statusCode(200)
                .extract()
                .path("session");

        get(owner, "").statusCode(200).body("sessions[0]", is(alone));
    }

    @Test
    void newestFirst() {
        List<String> created = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            created.addFirst(create("assistant"));
        }

        JsonPath page = list("");

        // within one millisecond the ids decide
        assertThat(ids(page))
                .containsExactlyInAnyOrderElementsOf(created)
                .isSortedAccordingTo(Comparator.reverseOrder());
        assertThat(page.getList("sessions.created_at", String.class)).isSortedAccordingTo(Comparator.reverseOrder());
    }

    @Test
    void byState() {
        String idle = create("assistant");
        String running = create("assistant");
        String paused = create("assistant");
        String completed = create("assistant");
        String cancelled = create("assistant");
        String failed = create("assistant");
        for (String id : List.of(running, completed, failed)) {
            command(id, "start", Map.of());
        }
        command(paused, "pause", Map.of());
        command(completed, "complete", Map.of());
        command(failed, "fail", Map.of("error_message", "it broke"));
        cancel(cancelled);

        assertListed("", idle, running, paused);
        assertListed("?status=running", running);
        assertListed("?status=idle&status=paused", idle, paused);
        assertListed("?status=cancelled", cancelled);
        assertListed("?status=running&status=error", running, failed);
        assertListed("?status=all", idle, running, paused, completed, cancelled, failed);
        assertListed("?status=all&status=running", idle, running, paused, completed, cancelled, failed);
        assertListed("?status=idle&status=running&status=paused", idle, running, paused);
        assertListed("?status=completed&limit=1", completed);
    }

    @Test
    void byTypeUserServerAndLabels() {
        Api colleague = owner.newMember(workspace, "member");
        String a = labelled("assistant", Map.of("team", "x", "stage", "1"));
        String b = labelled("builder", Map.of("team", "x", "stage", "2"));
        String c = create(colleague, "builder", Map.of("labels", Map.of("team", "y"), "hosting", "external"));
        String d = create(colleague, "planner", Map.of());
        String server = owner.session(a).get("server_id").asText();

        assertListed("?agent_type=builder", b, c);
        assertListed("?user_id=" + owner.userId(), a, b);
        assertListed("?user_id=" + colleague.userId(), c, d);
        assertListed("?user_id=" + UUID.randomUUID());
        assertListed("?server_id=" + server, a, b, d);
        assertListed("?server_id=" + UUID.randomUUID());
        assertListed("?label=team:x", a, b);
        assertListed("?label=team:x&label=stage:2", b);
        assertListed("?label=team:z");
        assertListed("?label=team:x&agent_type=builder&user_id=" + owner.userId() + "&server_id=" + server, b);
        assertListed("?label=team:x&agent_type=planner");
        cancel(b);
        assertListed("?label=team:x", a);
        assertListed("?label=team:x&status=all", a, b);
        assertListed("?agent_type=builder&status=cancelled", b);
    }

    @Test
    void aLabelsValueMayHoldAnything() {
        String url = "http://x:1/?a=b&c='d' \"ü\"";
        String id = labelled("assistant", Map.of("url", url));
        labelled("assistant", Map.of("url", "http://x"));

        assertListed("?label=" + URLEncoder.encode("url:" + url, StandardCharsets.UTF_8), id);
    }

    @Test
    void aLabelHasOneValue() {
        labelled("assistant", Map.of("team", "x"));

        get(owner, "?label=team:y&label=team:x").spec(invalid("label"));
    }

    @ParameterizedTest
    @CsvSource({
        "status=dead,status",
        "agent_type=cook,agent_type",
        "user_id=me,user_id",
        "server_id=1,server_id",
        "label=team,label",
        "label=:x,label",
        "label=te%20am:x,label",
        "limit=0,limit",
        "limit=501,limit",
        "limit=x,limit",
        "limit=99999999999,limit",
        "cursor=garbage,cursor",
        "cursor=%00,cursor",
        "cursor=AAAAAAAAAAAAAAAAAAAAAA,cursor"
    })
    void refusesBadQueries(String query, String field) {
        get(owner, "?" + query).spec(invalid(field));
    }

    @ParameterizedTest
    @ValueSource(strings = {"owner", "admin", "member", "viewer"})
    void everyMemberMayList(String role) {
        create("assistant");
        Api member = owner.newMember(workspace, role);

        get(member, "").statusCode(200).body("sessions", hasSize(1));

        ValidatableResponse created = post(member, "assistant", Map.of()).then();
        if (role.equals("viewer")) {
            created.spec(problem(403, "FORBIDDEN"));
        } else {
            created.statusCode(201);
        }
    }

    @Test
    void strangersMayNeitherListNorCreate() {
        Api stranger = Api.newUser();

        get(stranger, "").spec(problem(403, "FORBIDDEN"));
        post(stranger, "planner", Map.of()).then().spec(problem(403, "FORBIDDEN"));

        assertListed("");
    }

    @Test
    void pagesNeitherRepeatNorMissWhatStays() {
        List<String> all = AtOnce.run(250, _ -> create("assistant"));
        Set<String> ended = new HashSet<>(all.subList(0, 50));
        Set<String> stay = new HashSet<>(all.subList(50, 250));
        assertThat(list("?limit=1").getInt("total")).isEqualTo(250);

        JsonPath page = list("?limit=20");
        List<String> seen = new ArrayList<>(ids(page));
        for (List<String> victims = new ArrayList<>(ended); page.get("next_cursor") != null; ) {
            List<String> gone = List.copyOf(victims.subList(0, Math.min(5, victims.size())));
            victims.removeAll(gone);
            AtOnce.run(5 + gone.size(), i -> i < 5 ? create("assistant") : cancel(gone.get(i - 5)));
            page = list("?limit=20&cursor=" + page.getString("next_cursor"));
            seen.addAll(ids(page));
        }

        assertThat(seen).doesNotHaveDuplicates().containsAll(stay).isSortedAccordingTo(Comparator.reverseOrder());
        assertThat(new HashSet<>(all))
                .as("what was created later has no place on later pages")
                .containsAll(seen);
    }

    @Test
    void thePagesOfAFilterAreThatFiltersOnly() {
        List<String> created = AtOnce.run(24, i -> create(i % 2 == 0 ? "builder" : "planner"));
        List<String> builders = new ArrayList<>();
        for (int i = 0; i < created.size(); i += 2) {
            builders.add(created.get(i));
        }

        JsonPath first = list("?agent_type=builder&limit=7");
        JsonPath second = list("?agent_type=builder&limit=7&cursor=" + first.getString("next_cursor"));

        assertThat(first.getInt("total")).isEqualTo(12);
        assertThat(second.getInt("total")).isEqualTo(12);
        assertThat(second.getString("next_cursor")).isNull();
        List<String> both = new ArrayList<>(ids(first));
        both.addAll(ids(second));
        assertThat(both).containsExactlyInAnyOrderElementsOf(builders);
    }
}
