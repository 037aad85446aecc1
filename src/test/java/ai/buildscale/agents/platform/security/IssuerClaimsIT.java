package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Issuer;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.SigningKey;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tokens as Keycloak and Auth0 make them: groups elsewhere, users who are no UUIDs, clocks that go fast. */
class IssuerClaimsIT {
    private static final SigningKey KEY = SigningKey.of("key", "PS256");

    private static Issuer issuer;
    private static Service service;

    @BeforeAll
    static void start() {
        issuer = Issuer.of(KEY);
        service = Service.start(Map.of(
                "JWT_KEYS", issuer.address(),
                "JWT_GROUPS_CLAIM", "realm_access/roles,groups",
                "JWT_USER_ID", "derived"));
    }

    @AfterAll
    static void stop() {
        service.close();
        issuer.close();
    }

    private static Api with(Consumer<ObjectNode> change) {
        ObjectNode claims = Issuer.claims().put("sub", "auth0|" + UUID.randomUUID());
        change.accept(claims);
        return Api.withToken(service, null, KEY.sign(claims));
    }

    @Test
    void aUserWithoutAUuidHasOneAndTheSameEachTime() {
        String subject = "auth0|5f7c" + UUID.randomUUID();
        UUID user = Ids.named(Ids.named(Ids.URL_NAMESPACE, DevKeys.ISSUER), subject);

        String workspace = with(c -> c.put("sub", subject)).newWorkspace();
        Api again = with(c -> c.put("sub", subject).put("jti", "another token"));

        assertThat(again.get("/workspaces/" + workspace)
                        .expect(200)
                        .at("/workspace/created_by")
                        .asText())
                .isEqualTo(user.toString());
        with(c -> c.put("sub", subject + "0")).get("/workspaces/" + workspace).expect(403);
        with(c -> c.remove("sub")).get("/workspaces").expectProblem(401, "INVALID_TOKEN");
    }

    @Test
    void groupsAreThoseOfBothClaims() {
        String workspace = with(_ -> {}).newWorkspace();

        with(c -> c.putObject("realm_access").putArray("roles").add("admin"))
                .get("/workspaces/" + workspace)
                .expect(200);
        with(c -> c.putArray("groups").add("/admin")).get("/servers").expect(200);
        with(c -> c.putArray("groups").add("/agent-host"))
                .post("/agent-hosts", "{\"name\":\"box\"}")
                .expect(201);
        with(c -> c.putArray("groups").add("/org/admin")).get("/servers").expect(403);
        with(c -> c.putArray("roles").add("admin")).get("/servers").expect(403);
    }

    @Test
    void theIssuersClockMayGoFaster() {
        long now = System.currentTimeMillis() / 1_000;

        with(c -> c.put("nbf", now + 20).put("iat", now + 20))
                .get("/workspaces")
                .expect(200);
        with(c -> c.put("nbf", now + 90)).get("/workspaces").expectProblem(401, "INVALID_TOKEN");
    }

    @ParameterizedTest
    @CsvSource({
        "JWT_USER_ID, uuid, jwt.user-id",
        "jwt.groups-claim, ' ', jwt.groups-claim",
        "jwt.keys-retry, 0S, jwt.keys-retry",
        "JWT_KEYS, ftp://user:s3cr3t@host/keys, JWT_KEYS"
    })
    void aSettingThatCannotBeIsRefusedAtTheStartByItsName(String name, String value, String named) {
        try (Service refused = Service.launch(Postgres.newDatabase(), Map.of(name, value))) {
            await().atMost(Duration.ofSeconds(60)).until(() -> !refused.isAlive());

            assertThat(refused.log()).contains(named).doesNotContain("s3cr3t");
        }
    }
}
