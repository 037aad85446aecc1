package ai.buildscale.agents.workspace;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.AtOnce;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SseStream;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Workspaces, their members and quotas over HTTP. */
class WorkspaceIT {
    private static final Service SERVICE = Service.shared();

    private final Api owner = Api.user(SERVICE);
    private final String workspace = owner.newWorkspace();
    private final String path = "/workspaces/" + workspace;

    private Api member(String role) {
        Api member = Api.user(SERVICE);
        owner.addMember(workspace, member, role);
        return member;
    }

    private static String role(String role) {
        return "{\"role\":\"" + role + "\"}";
    }

    private static String newMember(UUID user, String role) {
        return "{\"user_id\":\"" + user + "\",\"role\":\"" + role + "\"}";
    }

    private Api.Reply change(Api caller, Api member, String role) {
        return caller.patch(path + "/members/" + member.userId(), role(role));
    }

    private Api.Reply remove(Api caller, Api member) {
        return caller.delete(path + "/members/" + member.userId());
    }

    private List<String> owners() {
        return owner.get(
                        path + "/members",
                        "Authorization",
                        "Bearer " + Api.user(SERVICE, "admin").token())
                .expect(200)
                .get("members")
                .valueStream()
                .filter(member -> member.get("role").asText().equals("owner"))
                .map(member -> member.get("user_id").asText())
                .toList();
    }

    @Test
    void creates() {
        Api.Reply reply = owner.post("/workspaces", "{\"name\":\"  Research \uD83D\uDE42 \"}");

        JsonNode created = reply.expect(201).get("workspace");
        assertThat(created.properties().stream().map(Map.Entry::getKey))
                .containsExactlyInAnyOrder(
                        "id",
                        "name",
                        "created_by",
                        "role",
                        "max_live_sessions",
                        "live_sessions",
                        "version",
                        "created_at",
                        "updated_at");
        assertThat(created.get("name").asText()).isEqualTo("Research \uD83D\uDE42");
        assertThat(created.get("created_by").asText()).isEqualTo(owner.userId().toString());
        assertThat(created.get("role").asText()).isEqualTo("owner");
        assertThat(created.get("live_sessions").asInt()).isZero();
        assertThat(created.get("max_live_sessions").asInt()).isPositive();
        assertThat(Instant.parse(created.get("created_at").asText()))
                .isBeforeOrEqualTo(Instant.now().plusSeconds(1));
        assertThat(reply.header("location"))
                .isEqualTo("/api/v1/workspaces/" + created.get("id").asText());
        assertThat(owner.get("/workspaces/" + created.get("id").asText())
                        .expect(200)
                        .get("workspace"))
                .isEqualTo(created);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"name\":null}", "{\"name\":\"\"}", "{\"name\":\" \\n\"}", "{\"name\":5}"})
    void aNameIsNeeded(String body) {
        JsonNode problem = owner.post("/workspaces", body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.at("/fields/name").asText()).isNotEmpty();
    }

    @Test
    void namesMayBeAlikeAndUpToAHundredLong() {
        String name = "{\"name\":\"" + "n".repeat(100) + "\"}";

        assertThat(owner.post("/workspaces", name).expect(201).at("/workspace/id"))
                .isNotEqualTo(owner.post("/workspaces", name).expect(201).at("/workspace/id"));
    }

    @Test
    void listsOnesOwnNewestFirst() {
        Api user = Api.user(SERVICE);
        assertThat(user.get("/workspaces").expect(200).get("workspaces").isEmpty())
                .isTrue();
        String first = user.newWorkspace();
        String second = user.newWorkspace();
        owner.addMember(workspace, user, "viewer");

        JsonNode list = user.get("/workspaces").expect(200);

        assertThat(list.get("count").asInt()).isEqualTo(3);
        assertThat(list.get("workspaces").valueStream().map(one -> one.get("id").asText()))
                .containsExactlyInAnyOrder(second, first, workspace);
        assertThat(list.get("workspaces")
                        .valueStream()
                        .map(one -> one.get("id").asText())
                        .filter(id -> !id.equals(workspace)))
                .containsExactly(second, first);
        assertThat(list.get("workspaces")
                        .valueStream()
                        .filter(one -> one.get("id").asText().equals(workspace))
                        .map(one -> one.get("role").asText()))
                .containsExactly("viewer");
    }

    @Test
    void renames() {
        Api admin = member("admin");

        JsonNode renamed =
                admin.patch(path, "{\"name\":\" New name \"}").expect(200).get("workspace");

        assertThat(renamed.get("name").asText()).isEqualTo("New name");
        assertThat(renamed.get("version").asInt()).isEqualTo(2);
        assertThat(renamed.get("role").asText()).isEqualTo("admin");
        assertThat(owner.get(path).expect(200).at("/workspace/name").asText()).isEqualTo("New name");
    }

    @Test
    void onlyAnOwnerChangesQuotas() {
        Api admin = member("admin");
        admin.patch(path, "{\"max_live_sessions\":5}").expectProblem(403, "FORBIDDEN");
        admin.patch(path, "{\"name\":\"New\",\"max_live_sessions\":5}").expectProblem(403, "FORBIDDEN");
        JsonNode untouched = owner.get(path).expect(200).get("workspace");
        assertThat(untouched.get("version").asInt()).isEqualTo(1);

        JsonNode changed =
                owner.patch(path, "{\"max_live_sessions\":5}").expect(200).get("workspace");

        assertThat(changed.get("max_live_sessions").asInt()).isEqualTo(5);
        assertThat(changed.get("name")).isEqualTo(untouched.get("name"));
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
        JsonNode problem = owner.patch(path, body).expectProblem(400, "VALIDATION_ERROR");

        assertThat(problem.get("fields").size()).isPositive();
        assertThat(owner.get(path).expect(200).at("/workspace/version").asInt()).isEqualTo(1);
    }

    @Test
    void editsAtOnceAreAllKept() {
        int edits = 20;

        List<Integer> statuses = AtOnce.run(
                edits,
                i -> owner.patch(path, i % 2 == 0 ? "{\"name\":\"N" + i + "\"}" : "{\"max_live_sessions\":" + i + "}")
                        .status());

        assertThat(statuses).containsOnly(200);
        assertThat(owner.get(path).expect(200).at("/workspace/version").asInt()).isEqualTo(1 + edits);
    }

    @Test
    void theQuotaHolds() {
        owner.patch(path, "{\"max_live_sessions\":3}").expect(200);
        String body = "{\"agent_type\":\"builder\",\"model\":\"m\"}";

        List<Integer> statuses =
                AtOnce.run(12, _ -> owner.post(path + "/agent-sessions", body).status());

        assertThat(statuses).filteredOn(status -> status == 201).hasSize(3);
        assertThat(statuses).filteredOn(status -> status == 429).hasSize(9);
        Api.Reply refused = owner.post(path + "/agent-sessions", body);
        JsonNode problem = refused.expectProblem(429, "QUOTA_EXCEEDED");
        assertThat(problem.get("max_live_sessions").asInt()).isEqualTo(3);
        assertThat(Integer.parseInt(refused.header("retry-after"))).isPositive();
        assertThat(owner.get(path).expect(200).at("/workspace/live_sessions").asInt())
                .isEqualTo(3);

        String one = owner.get(path + "/agent-sessions")
                .expect(200)
                .at("/sessions/0/id")
                .asText();
        owner.delete("/agent-sessions/" + one).expect(200);
        assertThat(owner.get(path).expect(200).at("/workspace/live_sessions").asInt())
                .isEqualTo(2);
        owner.newSession(workspace);
        owner.patch(path, "{\"max_live_sessions\":1}").expect(200);
        owner.post(path + "/agent-sessions", body).expectProblem(429, "QUOTA_EXCEEDED");
    }

    @Test
    void addsMembers() {
        Api user = Api.user(SERVICE);

        Api.Reply added = owner.post(path + "/members", newMember(user.userId(), "member"));

        JsonNode member = added.expect(201).get("member");
        assertThat(member.get("workspace_id").asText()).isEqualTo(workspace);
        assertThat(member.get("user_id").asText()).isEqualTo(user.userId().toString());
        assertThat(member.get("role").asText()).isEqualTo("member");
        assertThat(added.header("location")).isEqualTo("/api/v1" + path + "/members/" + user.userId());
        assertThat(user.get(path + "/members/me").expect(200).get("member")).isEqualTo(member);
        JsonNode list = user.get(path + "/members").expect(200);
        assertThat(list.get("count").asInt()).isEqualTo(2);
        assertThat(list.at("/members/0/user_id").asText())
                .isEqualTo(owner.userId().toString());
        assertThat(list.at("/members/1")).isEqualTo(member);
    }

    @Test
    void addingAgainIsASuccessAndAnotherRoleAConflict() {
        Api user = member("member");

        owner.post(path + "/members", newMember(user.userId(), "member")).expect(200);
        JsonNode problem =
                owner.post(path + "/members", newMember(user.userId(), "admin")).expectProblem(409, "CONFLICT");

        assertThat(problem.get("current_role").asText()).isEqualTo("member");
        assertThat(user.get(path + "/members/me").expect(200).at("/member/role").asText())
                .isEqualTo("member");
        owner.post(path + "/members", newMember(owner.userId(), "owner")).expect(200);
        owner.post(path + "/members", newMember(owner.userId(), "viewer")).expectProblem(409, "CONFLICT");
    }

    @Test
    void addedByManyAtOnceThereIsOne() {
        UUID user = UUID.randomUUID();

        List<Integer> statuses = AtOnce.run(
                16,
                _ -> owner.post(path + "/members", newMember(user, "member")).status());

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
        UUID stranger = UUID.randomUUID();

        Api.Reply changed = change(caller, subject, role);
        Api.Reply added = caller.post(path + "/members", newMember(stranger, role));

        if (status == 200) {
            assertThat(changed.expect(200).at("/member/role").asText()).isEqualTo(role);
            added.expect(201);
        } else {
            changed.expectProblem(403, "FORBIDDEN");
            added.expectProblem(403, "FORBIDDEN");
            assertThat(subject.get(path + "/members/me")
                            .expect(200)
                            .at("/member/role")
                            .asText())
                    .isEqualTo("member");
        }
    }

    @Test
    void anAdminDoesNotTouchOwners() {
        Api admin = member("admin");
        Api second = member("owner");

        change(admin, second, "member").expectProblem(403, "FORBIDDEN");
        change(admin, second, "owner").expectProblem(403, "FORBIDDEN");
        remove(admin, second).expectProblem(403, "FORBIDDEN");
        change(admin, admin, "owner").expectProblem(403, "FORBIDDEN");
        assertThat(owners())
                .containsExactlyInAnyOrder(
                        owner.userId().toString(), second.userId().toString());
    }

    @Test
    void aRoleTakesEffectAtOnce() {
        Api user = member("viewer");
        String body = "{\"agent_type\":\"builder\",\"model\":\"m\"}";
        user.post(path + "/agent-sessions", body).expectProblem(403, "FORBIDDEN");

        change(owner, user, "member").expect(200);
        user.post(path + "/agent-sessions", body).expect(201);

        change(owner, user, "viewer").expect(200);
        user.post(path + "/agent-sessions", body).expectProblem(403, "FORBIDDEN");
    }

    @Test
    void membersLeaveByThemselves() {
        for (String role : List.of("admin", "member", "viewer", "owner")) {
            Api user = member(role);

            remove(user, user).expect(200);

            user.get(path).expectProblem(403, "FORBIDDEN");
            user.get(path + "/members/me").expectProblem(403, "FORBIDDEN");
            remove(owner, user).expectProblem(404, "NOT_FOUND");
            change(owner, user, "viewer").expectProblem(404, "NOT_FOUND");
        }
    }

    @Test
    void theLastOwnerStaysOne() {
        Api admin = member("admin");

        change(owner, owner, "admin").expectProblem(409, "CONFLICT");
        remove(owner, owner).expectProblem(409, "CONFLICT");
        Api platform = Api.user(SERVICE, "admin");
        change(platform, owner, "viewer").expectProblem(409, "CONFLICT");
        remove(platform, owner).expectProblem(409, "CONFLICT");
        assertThat(owners()).containsExactly(owner.userId().toString());

        change(owner, admin, "owner").expect(200);
        change(owner, owner, "admin").expect(200);
        assertThat(owners()).containsExactly(admin.userId().toString());
    }

    @Test
    void ownersWhoTurnOnEachOtherLeaveOne() {
        for (int round = 0; round < 30; round++) {
            String house = owner.newWorkspace();
            Api second = Api.user(SERVICE);
            owner.addMember(house, second, "owner");
            String members = "/workspaces/" + house + "/members/";
            boolean demote = round % 2 == 0;
            boolean itself = round % 3 == 0;

            List<Integer> statuses = AtOnce.run(2, i -> {
                Api caller = i == 0 ? owner : second;
                Api victim = itself ? caller : i == 0 ? second : owner;
                return (demote
                                ? caller.patch(members + victim.userId(), role("member"))
                                : caller.delete(members + victim.userId()))
                        .status();
            });

            long left = Postgres.query(
                            SERVICE.databaseUrl(),
                            "select from workspace_members where role = 'owner' and workspace_id = '" + house + "'")
                    .size();
            assertThat(left).as("round %d: %s", round, statuses).isEqualTo(1);
            assertThat(statuses).as("round %d", round).containsOnlyOnce(200);
            assertThat(statuses)
                    .filteredOn(status -> status != 200)
                    .allSatisfy(status -> assertThat(status).isIn(403, 409));
        }
    }

    @Test
    void deletesWithEverythingInIt() {
        Api user = member("member");
        JsonNode running = user.newSession(workspace);
        String id = running.get("id").asText();
        user.command(id, "start", "{}").expect(200);
        String external = user.newExternalSession(workspace).get("id").asText();
        try (SseStream stream = user.stream(path + "/events")) {
            assertThat(stream.status()).isEqualTo(200);

            owner.delete(path).expect(200);

            stream.awaitEnd();
        }
        for (Api caller : List.of(owner, user, Api.user(SERVICE), Api.user(SERVICE, "admin"))) {
            caller.get(path).expectProblem(404, "NOT_FOUND");
            caller.get(path + "/members").expectProblem(404, "NOT_FOUND");
            caller.get(path + "/agent-sessions").expectProblem(404, "NOT_FOUND");
            caller.get("/agent-sessions/" + id).expectProblem(404, "NOT_FOUND");
            caller.command(id, "pause", "{}").expectProblem(404, "NOT_FOUND");
            caller.command(external, "heartbeat", "{\"epoch\":1}").expectProblem(404, "NOT_FOUND");
            caller.delete(path).expectProblem(404, "NOT_FOUND");
        }
        assertThat(owner.get("/workspaces").expect(200).get("count").asInt()).isZero();
        for (String table : List.of("workspace_members", "workspace_usage", "agent_sessions")) {
            assertThat(Postgres.query(
                            SERVICE.databaseUrl(),
                            "select from " + table + " where workspace_id = '" + workspace + "'"))
                    .as(table)
                    .isEmpty();
        }
    }

    @Test
    void deletedWhileSessionsAreMadeInIt() {
        for (int round = 0; round < 10; round++) {
            String house = owner.newWorkspace();

            List<Api.Reply> replies = AtOnce.run(
                    8,
                    i -> i == 3
                            ? owner.delete("/workspaces/" + house)
                            : owner.post(
                                    "/workspaces/" + house + "/agent-sessions",
                                    "{\"agent_type\":\"builder\",\"model\":\"m\"}"));

            assertThat(replies.get(3).status()).isEqualTo(200);
            replies.remove(3);
            assertThat(replies)
                    .allSatisfy(
                            reply -> assertThat(reply.status()).as(reply.text()).isIn(201, 404));
            assertThat(Postgres.query(
                            SERVICE.databaseUrl(), "select from agent_sessions where workspace_id = '" + house + "'"))
                    .isEmpty();
        }
    }

    @Test
    void deletedByTwoAtOnce() {
        for (int round = 0; round < 10; round++) {
            String house = owner.newWorkspace();

            List<Integer> statuses =
                    AtOnce.run(4, _ -> owner.delete("/workspaces/" + house).status());

            assertThat(statuses).containsOnlyOnce(200).containsOnly(200, 404);
        }
    }

    @Test
    void aPlatformAdminSeesAllAndIsMemberOfNone() {
        Api admin = Api.user(SERVICE, "admin");

        assertThat(admin.get(path).expect(200).at("/workspace/role").isNull()).isTrue();
        admin.get(path + "/members/me").expectProblem(404, "NOT_FOUND");
        assertThat(admin.get("/workspaces").expect(200).get("count").asInt()).isZero();
        admin.patch(path, "{\"max_live_sessions\":7}").expect(200);
    }
}
