package ai.buildscale.agents.contract;

import static ai.buildscale.agents.testing.Problems.invalid;
import static ai.buildscale.agents.testing.Problems.problem;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.containsInAnyOrder;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.greaterThan;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.nullValue;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.PostgresResource;
import ai.buildscale.agents.testing.SseStream;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import io.restassured.response.ValidatableResponse;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Workspaces, their members and quotas. */
@QuarkusTest
@QuarkusTestResource(PostgresResource.class)
class WorkspaceTest {
    private static final Map<String, String> BUILDER = Map.of("agent_type", "builder", "model", "m");

    private final Api owner = Api.newUser();
    private final String workspace = owner.newWorkspace();

    private Api member(String role) {
        return owner.newMember(workspace, role);
    }

    private ValidatableResponse read(Api caller) {
        return caller.given().get("/workspaces/{id}", workspace).then();
    }

    private Response edit(Api caller, Object changes) {
        return caller.given().body(changes).patch("/workspaces/{id}", workspace);
    }

    private Response create(Api caller) {
        return caller.given().body(BUILDER).post("/workspaces/{id}/agent-sessions", workspace);
    }

    private Response add(Api caller, UUID user, String role) {
        return caller.given().body(Map.of("user_id", user, "role", role)).post("/workspaces/{id}/members", workspace);
    }

    private Response change(Api caller, Api member, String role) {
        return caller.given()
                .body(Map.of("role", role))
                .patch("/workspaces/{id}/members/{user}", workspace, member.userId());
    }

    private Response remove(Api caller, Api member) {
        return caller.given().delete("/workspaces/{id}/members/{user}", workspace, member.userId());
    }

    private ValidatableResponse membership(Api member) {
        return member.given().get("/workspaces/{id}/members/me", workspace).then();
    }

    private List<String> owners() {
        return Api.newUser("admin")
                .given()
                .get("/workspaces/{id}/members", workspace)
                .then()
                .statusCode(200)
                .extract()
                .path("members.findAll { it.role == 'owner' }.user_id");
    }

    @Test
    void creates() {
        String name = "Research \uD83D\uDE42";

        ValidatableResponse reply = owner.given()
                .body(Map.of("name", "  " + name + " "))
                .post("/workspaces")
                .then()
                .statusCode(201);

        Map<String, Object> created = reply.body("workspace.name", is(name))
                .body("workspace.created_by", is(owner.userId().toString()))
                .body("workspace.role", is("owner"))
                .body("workspace.live_sessions", is(0))
                .body("workspace.max_live_sessions", greaterThan(0))
                .extract()
                .path("workspace");
        assertThat(created)
                .containsOnlyKeys(
                        "id",
                        "name",
                        "created_by",
                        "role",
                        "max_live_sessions",
                        "live_sessions",
                        "version",
                        "created_at",
                        "updated_at");
        assertThat(Instant.parse((String) created.get("created_at")))
                .isBeforeOrEqualTo(Instant.now().plusSeconds(1));
        reply.header("Location", "/api/v1/workspaces/" + created.get("id"));
        owner.given()
                .get("/workspaces/{id}", created.get("id"))
                .then()
                .statusCode(200)
                .body("workspace", is(created));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"name\":null}", "{\"name\":\"\"}", "{\"name\":\" \\n\"}", "{\"name\":5}"})
    void aNameIsNeeded(String body) {
        owner.given().body(body).post("/workspaces").then().spec(invalid("name"));
    }

    @Test
    void namesMayBeAlikeAndUpToAHundredLong() {
        Map<String, String> body = Map.of("name", "n".repeat(100));

        String first =
                owner.given().body(body).post("/workspaces").then().extract().path("workspace.id");
        String second =
                owner.given().body(body).post("/workspaces").then().extract().path("workspace.id");

        assertThat(first).isNotNull().isNotEqualTo(second);
        assertThat(second).isNotNull();
    }

    @Test
    void listsOnesOwnNewestFirst() {
        Api user = Api.newUser();
        user.given().get("/workspaces").then().statusCode(200).body("workspaces", empty());
        String first = user.newWorkspace();
        String second = user.newWorkspace();
        owner.addMember(workspace, user, "viewer");

        ValidatableResponse list = user.given().get("/workspaces").then().statusCode(200);

        list.body("count", is(3))
                .body("workspaces.id", containsInAnyOrder(second, first, workspace))
                .body("workspaces.findAll { it.id != '" + workspace + "' }.id", contains(second, first))
                .body("workspaces.findAll { it.id == '" + workspace + "' }.role", contains("viewer"));
    }

    @Test
    void renames() {
        Api admin = member("admin");

        edit(admin, Map.of("name", " New name "))
                .then()
                .statusCode(200)
                .body("workspace.name", is("New name"))
                .body("workspace.version", is(2))
                .body("workspace.role", is("admin"));

        read(owner).statusCode(200).body("workspace.name", is("New name"));
    }

    @Test
    void onlyAnOwnerChangesQuotas() {
        Api admin = member("admin");
        edit(admin, Map.of("max_live_sessions", 5)).then().spec(problem(403, "FORBIDDEN"));
        edit(admin, Map.of("name", "New", "max_live_sessions", 5)).then().spec(problem(403, "FORBIDDEN"));
        String name = read(owner)
                .statusCode(200)
                .body("workspace.version", is(1))
                .extract()
                .path("workspace.name");

        edit(owner, Map.of("max_live_sessions", 5))
                .then()
                .statusCode(200)
                .body("workspace.max_live_sessions", is(5))
                .body("workspace.name", is(name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"max_live_sessions\":-1}",
                "{\"max_live_sessions\":10000001}",
                "{\"name\":\"\"}",
                "{\"name\":\" \"}",
                "{\"name\":null}",
                "{\"live_sessions\":0}",
                "{\"role\":\"owner\"}"
            })
    void aChangeIsChecked(String body) {
        edit(owner, body).then().spec(problem(400, "VALIDATION_ERROR")).body("fields.size()", greaterThan(0));

        read(owner).statusCode(200).body("workspace.version", is(1));
    }

    @Test
    void editsAtOnceAreAllKept() {
        int edits = 20;

        List<Integer> statuses = AtOnce.run(
                edits,
                i -> edit(owner, i % 2 == 0 ? Map.of("name", "N" + i) : Map.of("max_live_sessions", i))
                        .statusCode());

        assertThat(statuses).containsOnly(200);
        read(owner).statusCode(200).body("workspace.version", is(1 + edits));
    }

    @Test
    void theQuotaHolds() {
        edit(owner, Map.of("max_live_sessions", 3)).then().statusCode(200);

        List<Integer> statuses = AtOnce.run(12, _ -> create(owner).statusCode());

        assertThat(statuses).filteredOn(status -> status == 201).hasSize(3);
        assertThat(statuses).filteredOn(status -> status == 429).hasSize(9);
        String retryAfter = create(owner)
                .then()
                .spec(problem(429, "QUOTA_EXCEEDED"))
                .body("max_live_sessions", is(3))
                .extract()
                .header("Retry-After");
        assertThat(Integer.parseInt(retryAfter)).isPositive();
        read(owner).statusCode(200).body("workspace.live_sessions", is(3));

        String one = owner.given()
                .get("/workspaces/{id}/agent-sessions", workspace)
                .then()
                .statusCode(200)
                .extract()
                .path("sessions[0].id");
        owner.given().delete("/agent-sessions/{id}", one).then().statusCode(200);
        read(owner).statusCode(200).body("workspace.live_sessions", is(2));
        create(owner).then().statusCode(201);
        edit(owner, Map.of("max_live_sessions", 1)).then().statusCode(200);
        create(owner).then().spec(problem(429, "QUOTA_EXCEEDED"));
    }

    @Test
    void addsMembers() {
        Api user = Api.newUser();

        Map<String, Object> member = add(owner, user.userId(), "member")
                .then()
                .statusCode(201)
                .header("Location", "/api/v1/workspaces/" + workspace + "/members/" + user.userId())
                .body("member.workspace_id", is(workspace))
                .body("member.user_id", is(user.userId().toString()))
                .body("member.role", is("member"))
                .extract()
                .path("member");

        membership(user).statusCode(200).body("member", is(member));
        user.given()
                .get("/workspaces/{id}/members", workspace)
                .then()
                .statusCode(200)
                .body("count", is(2))
                .body("members[0].user_id", is(owner.userId().toString()))
                .body("members[1]", is(member));
    }

    @Test
    void addingAgainIsASuccessAndAnotherRoleAConflict() {
        Api user = member("member");

        add(owner, user.userId(), "member").then().statusCode(200);
        add(owner, user.userId(), "admin").then().spec(problem(409, "CONFLICT")).body("current_role", is("member"));

        membership(user).statusCode(200).body("member.role", is("member"));
        add(owner, owner.userId(), "owner").then().statusCode(200);
        add(owner, owner.userId(), "viewer").then().spec(problem(409, "CONFLICT"));
    }

    @Test
    void addedByManyAtOnceThereIsOne() {
        UUID user = UUID.randomUUID();

        List<Integer> statuses = AtOnce.run(16, _ -> add(owner, user, "member").statusCode());

        assertThat(statuses).filteredOn(status -> status == 201).hasSize(1);
        assertThat(statuses).filteredOn(status -> status == 200).hasSize(15);
    }

    @ParameterizedTest
    @CsvSource({
        "owner,  owner,  200", "owner,  admin, 200", "owner,  member, 200", "owner,  viewer, 200",
        "admin,  owner,  403", "admin,  admin, 200", "admin,  member, 200", "admin,  viewer, 200",
        "member, owner,  403", "member, admin, 403", "member, member, 403", "member, viewer, 403",
        "viewer, owner,  403", "viewer, admin, 403", "viewer, member, 403", "viewer, viewer, 403"
    })
    void whoMayAppointWhom(String callersRole, String role, int status) {
        Api caller = member(callersRole);
        Api subject = member("member");

        ValidatableResponse changed = change(caller, subject, role).then();
        ValidatableResponse added = add(caller, UUID.randomUUID(), role).then();

        if (status == 200) {
            changed.statusCode(200).body("member.role", is(role));
            added.statusCode(201);
        } else {
            changed.spec(problem(403, "FORBIDDEN"));
            added.spec(problem(403, "FORBIDDEN"));
            membership(subject).statusCode(200).body("member.role", is("member"));
        }
    }

    @Test
    void anAdminDoesNotTouchOwners() {
        Api admin = member("admin");
        Api second = member("owner");

        change(admin, second, "member").then().spec(problem(403, "FORBIDDEN"));
        change(admin, second, "owner").then().spec(problem(403, "FORBIDDEN"));
        remove(admin, second).then().spec(problem(403, "FORBIDDEN"));
        change(admin, admin, "owner").then().spec(problem(403, "FORBIDDEN"));

        assertThat(owners())
                .containsExactlyInAnyOrder(
                        owner.userId().toString(), second.userId().toString());
    }

    @Test
    void aRoleTakesEffectAtOnce() {
        Api user = member("viewer");
        create(user).then().spec(problem(403, "FORBIDDEN"));

        change(owner, user, "member").then().statusCode(200);
        create(user).then().statusCode(201);

        change(owner, user, "viewer").then().statusCode(200);
        create(user).then().spec(problem(403, "FORBIDDEN"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"admin", "member", "viewer", "owner"})
    void membersLeaveByThemselves(String role) {
        Api user = member(role);

        remove(user, user).then().statusCode(200);

        read(user).spec(problem(403, "FORBIDDEN"));
        membership(user).spec(problem(403, "FORBIDDEN"));
        remove(owner, user).then().spec(problem(404, "NOT_FOUND"));
        change(owner, user, "viewer").then().spec(problem(404, "NOT_FOUND"));
    }

    @Test
    void theLastOwnerStaysOne() {
        Api admin = member("admin");

        change(owner, owner, "admin").then().spec(problem(409, "CONFLICT"));
        remove(owner, owner).then().spec(problem(409, "CONFLICT"));
        Api platform = Api.newUser("admin");
        change(platform, owner, "viewer").then().spec(problem(409, "CONFLICT"));
        remove(platform, owner).then().spec(problem(409, "CONFLICT"));
        assertThat(owners()).containsExactly(owner.userId().toString());

        change(owner, admin, "owner").then().statusCode(200);
        change(owner, owner, "admin").then().statusCode(200);
        assertThat(owners()).containsExactly(admin.userId().toString());
    }

    @Test
    void ownersWhoTurnOnEachOtherLeaveOne() {
        for (int round = 0; round < 30; round++) {
            String house = owner.newWorkspace();
            Api second = owner.newMember(house, "owner");
            boolean demote = round % 2 == 0;
            boolean itself = round % 3 == 0;

            List<Integer> statuses = AtOnce.run(2, i -> {
                Api caller = i == 0 ? owner : second;
                Api victim = itself ? caller : i == 0 ? second : owner;
                String path = "/workspaces/" + house + "/members/" + victim.userId();
                return (demote
                                ? caller.given().body(Map.of("role", "member")).patch(path)
                                : caller.given().delete(path))
                        .statusCode();
            });

            assertThat(rows("workspace_members where role = 'owner' and workspace_id = '" + house + "'"))
                    .as("round %d: %s", round, statuses)
                    .hasSize(1);
            assertThat(statuses).as("round %d", round).containsOnlyOnce(200);
            assertThat(statuses)
                    .filteredOn(status -> status != 200)
                    .allSatisfy(status -> assertThat(status).isIn(403, 409));
        }
    }

    private static List<Map<String, Object>> rows(String table) {
        return Postgres.query(PostgresResource.database(), "select from " + table);
    }

    @Test
    void deletesWithEverythingInIt() {
        Api user = member("member");
        String id = user.newSession(workspace).get("id").asText();
        user.given().post("/agent-sessions/{id}/start", id).then().statusCode(200);
        String external = user.newExternalSession(workspace).get("id").asText();
        try (SseStream stream = user.stream("/workspaces/" + workspace + "/events")) {
            assertThat(stream.status()).isEqualTo(200);

            owner.given().delete("/workspaces/{id}", workspace).then().statusCode(200);

            stream.awaitEnd();
        }
        for (Api caller : List.of(owner, user, Api.newUser(), Api.newUser("admin"))) {
            read(caller).spec(problem(404, "NOT_FOUND"));
            for (String path : List.of("/members", "/agent-sessions")) {
                caller.given().get("/workspaces/" + workspace + path).then().spec(problem(404, "NOT_FOUND"));
            }
            caller.given().get("/agent-sessions/{id}", id).then().spec(problem(404, "NOT_FOUND"));
            caller.given().post("/agent-sessions/{id}/pause", id).then().spec(problem(404, "NOT_FOUND"));
            caller.given()
                    .body(Map.of("epoch", 1))
                    .post("/agent-sessions/{id}/heartbeat", external)
                    .then()
                    .spec(problem(404, "NOT_FOUND"));
            caller.given().delete("/workspaces/{id}", workspace).then().spec(problem(404, "NOT_FOUND"));
        }
        owner.given().get("/workspaces").then().statusCode(200).body("count", is(0));
        for (String table : List.of("workspace_members", "workspace_usage", "agent_sessions")) {
            assertThat(rows(table + " where workspace_id = '" + workspace + "'"))
                    .as(table)
                    .isEmpty();
        }
    }

    @Test
    void deletedWhileSessionsAreMadeInIt() {
        for (int round = 0; round < 10; round++) {
            String house = owner.newWorkspace();

            List<Response> replies = AtOnce.run(
                    8,
                    i -> i == 3
                            ? owner.given().delete("/workspaces/{id}", house)
                            : owner.given().body(BUILDER).post("/workspaces/{id}/agent-sessions", house));

            assertThat(replies.get(3).statusCode()).isEqualTo(200);
            replies.remove(3);
            assertThat(replies)
                    .allSatisfy(reply ->
                            assertThat(reply.statusCode()).as(reply.asString()).isIn(201, 404));
            assertThat(rows("agent_sessions where workspace_id = '" + house + "'"))
                    .isEmpty();
        }
    }

    @Test
    void deletedByTwoAtOnce() {
        for (int round = 0; round < 10; round++) {
            String house = owner.newWorkspace();

            List<Integer> statuses = AtOnce.run(
                    4, _ -> owner.given().delete("/workspaces/{id}", house).statusCode());

            assertThat(statuses).containsOnlyOnce(200).containsOnly(200, 404);
        }
    }

    @Test
    void aPlatformAdminSeesAllAndIsMemberOfNone() {
        Api admin = Api.newUser("admin");

        read(admin).statusCode(200).body("workspace.role", nullValue());
        membership(admin).spec(problem(404, "NOT_FOUND"));
        admin.given().get("/workspaces").then().statusCode(200).body("count", is(0));
        edit(admin, Map.of("max_live_sessions", 7)).then().statusCode(200);
    }
}
