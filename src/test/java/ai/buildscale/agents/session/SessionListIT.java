package ai.buildscale.agents.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Service;
import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A workspace's sessions: filters, totals, pages. */
class SessionListIT {
    private static final Api OWNER = Api.user(Service.shared());

    /** A workspace of its own for each test, so that totals are exact. */
    private final String workspace = OWNER.newWorkspace();

    private String create(String agentType, String more) {
        return create(OWNER, agentType, more);
    }

    private String create(Api caller, String agentType, String more) {
        return caller.newSession(workspace, "{\"agent_type\":\"" + agentType + "\",\"model\":\"m\"" + more + "}")
                .get("id")
                .asText();
    }

    private JsonNode list(String query) {
        return OWNER.get("/workspaces/" + workspace + "/agent-sessions" + query).expect(200);
    }

    private static List<String> ids(JsonNode page) {
        return page.get("sessions")
                .valueStream()
                .map(session -> session.get("id").asText())
                .toList();
    }

    private void assertListed(String query, String... ids) {
        JsonNode page = list(query);
        assertThat(ids(page)).as(query).containsExactlyInAnyOrder(ids);
        assertThat(page.get("total").asInt()).as("total of " + query).isEqualTo(ids.length);
    }

    @Test
    void anEmptyWorkspaceHasAnEmptyPage() {
        JsonNode page = list("");

        assertThat(page.get("sessions")).isEmpty();
        assertThat(page.get("total").asInt()).isZero();
        assertThat(page.get("next_cursor").isNull()).isTrue();
    }

    @Test
    void showsEachSessionAsItIsReadAlone() {
        String id = create("planner", ",\"task\":\"Think\",\"labels\":{\"a\":\"b\"},\"hosting\":\"external\"");

        assertThat(list("").get("sessions").get(0)).isEqualTo(OWNER.session(id));
    }

    @Test
    void newestFirst() {
        List<String> created = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            created.addFirst(create("assistant", ""));
        }

        // within one millisecond the ids decide
        assertThat(ids(list("")))
                .containsExactlyInAnyOrderElementsOf(created)
                .isSortedAccordingTo(Comparator.reverseOrder());
        assertThat(list("").get("sessions")
                        .valueStream()
                        .map(session -> session.get("created_at").asText()))
                .isSortedAccordingTo(Comparator.reverseOrder());
    }

    @Test
    void byState() {
        String idle = create("assistant", "");
        String running = create("assistant", "");
        String paused = create("assistant", "");
        String completed = create("assistant", "");
        String cancelled = create("assistant", "");
        String failed = create("assistant", "");
        for (String id : List.of(running, completed, failed)) {
            OWNER.command(id, "start", "{}").expect(200);
        }
        OWNER.command(paused, "pause", "{}").expect(200);
        OWNER.command(completed, "complete", "{}").expect(200);
        OWNER.command(failed, "fail", "{\"error_message\":\"it broke\"}").expect(200);
        OWNER.delete("/agent-sessions/" + cancelled).expect(200);

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
        Api colleague = Api.user(Service.shared());
        OWNER.addMember(workspace, colleague, "member");
        String a = create("assistant", ",\"labels\":{\"team\":\"x\",\"stage\":\"1\"}");
        String b = create("builder", ",\"labels\":{\"team\":\"x\",\"stage\":\"2\"}");
        String c = create(colleague, "builder", ",\"labels\":{\"team\":\"y\"},\"hosting\":\"external\"");
        String d = create(colleague, "planner", "");
        String server = OWNER.session(a).get("server_id").asText();

        assertListed("?agent_type=builder", b, c);
        assertListed("?user_id=" + OWNER.userId(), a, b);
        assertListed("?user_id=" + colleague.userId(), c, d);
        assertListed("?user_id=" + UUID.randomUUID());
        assertListed("?server_id=" + server, a, b, d);
        assertListed("?server_id=" + UUID.randomUUID());
        assertListed("?label=team:x", a, b);
        assertListed("?label=team:x&label=stage:2", b);
        assertListed("?label=team:z");
        assertListed("?label=team:x&agent_type=builder&user_id=" + OWNER.userId() + "&server_id=" + server, b);
        assertListed("?label=team:x&agent_type=planner");
        OWNER.delete("/agent-sessions/" + b).expect(200);
        assertListed("?label=team:x", a);
        assertListed("?label=team:x&status=all", a, b);
        assertListed("?agent_type=builder&status=cancelled", b);
    }

    @Test
    void aLabelsValueMayHoldAnything() {
        String id = create("assistant", ",\"labels\":{\"url\":\"http://x:1/?a=b&c='d' \\\"ü\\\"\"}");
        create("assistant", ",\"labels\":{\"url\":\"http://x\"}");

        String value = URLEncoder.encode("url:http://x:1/?a=b&c='d' \"ü\"", StandardCharsets.UTF_8);
        assertListed("?label=" + value, id);
    }

    @Test
    void aLabelHasOneValue() {
        create("assistant", ",\"labels\":{\"team\":\"x\"}");

        JsonNode problem = OWNER.get("/workspaces/" + workspace + "/agent-sessions?label=team:y&label=team:x")
                .expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields").has("label")).isTrue();
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
        JsonNode problem = OWNER.get("/workspaces/" + workspace + "/agent-sessions?" + query)
                .expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields").has(field)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"owner", "admin", "member", "viewer"})
    void everyMemberMayList(String role) {
        create("assistant", "");
        Api member = Api.user(Service.shared());
        OWNER.addMember(workspace, member, role);

        JsonNode page =
                member.get("/workspaces/" + workspace + "/agent-sessions").expect(200);

        assertThat(page.get("sessions")).hasSize(1);
        Api.Reply created = member.post(
                "/workspaces/" + workspace + "/agent-sessions", "{\"agent_type\":\"assistant\",\"model\":\"m\"}");
        if (role.equals("viewer")) {
            created.expectProblem(403, "FORBIDDEN");
        } else {
            created.expect(201);
        }
    }

    @Test
    void strangersMayNeitherListNorCreate() {
        Api stranger = Api.user(Service.shared());

        stranger.get("/workspaces/" + workspace + "/agent-sessions").expectProblem(403, "FORBIDDEN");
        stranger.post("/workspaces/" + workspace + "/agent-sessions", "{\"agent_type\":\"planner\",\"model\":\"m\"}")
                .expectProblem(403, "FORBIDDEN");
        assertListed("");
    }

    @Test
    void pagesNeitherRepeatNorMissWhatStays() {
        List<String> all = AtOnce.run(250, _ -> create("assistant", ""));
        Set<String> ended = new HashSet<>(all.subList(0, 50));
        Set<String> stay = new HashSet<>(all.subList(50, 250));
        assertThat(list("?limit=1").get("total").asInt()).isEqualTo(250);

        List<String> seen = new ArrayList<>();
        JsonNode page = list("?limit=20");
        seen.addAll(ids(page));
        for (List<String> victims = new ArrayList<>(ended);
                !page.get("next_cursor").isNull(); ) {
            List<String> gone = List.copyOf(victims.subList(0, Math.min(5, victims.size())));
            victims.removeAll(gone);
            AtOnce.run(
                    10,
                    i -> i < 5
                            ? create("assistant", "")
                            : i - 5 < gone.size() ? OWNER.delete("/agent-sessions/" + gone.get(i - 5)) : "");
            page = list("?limit=20&cursor=" + page.get("next_cursor").asText());
            seen.addAll(ids(page));
        }

        assertThat(seen).doesNotHaveDuplicates().containsAll(stay).isSortedAccordingTo(Comparator.reverseOrder());
        assertThat(new HashSet<>(all))
                .as("what was created later has no place on later pages")
                .containsAll(seen);
    }

    @Test
    void thePagesOfAFilterAreThatFiltersOnly() {
        List<String> builders = AtOnce.run(24, i -> create(i % 2 == 0 ? "builder" : "planner", ""));
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < builders.size(); i += 2) {
            expected.add(builders.get(i));
        }

        JsonNode first = list("?agent_type=builder&limit=7");
        JsonNode second = list(
                "?agent_type=builder&limit=7&cursor=" + first.get("next_cursor").asText());

        assertThat(first.get("total").asInt()).isEqualTo(12);
        assertThat(second.get("total").asInt()).isEqualTo(12);
        assertThat(second.get("next_cursor").isNull()).isTrue();
        List<String> both = new ArrayList<>(ids(first));
        both.addAll(ids(second));
        assertThat(both).containsExactlyInAnyOrderElementsOf(expected);
    }
}
