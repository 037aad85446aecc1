package ai.buildscale.agents.platform.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.buildscale.agents.platform.Ids;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jose4j.json.JsonUtil;
import org.jose4j.lang.JoseException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where tokens tell the user and the groups. */
class CallerClaimsTest {
    private static final String ISSUER = "https://tenant.eu.auth0.com/";
    private static final String ID = "0199c2d5-7a10-7cc3-8f01-5f0f4a7b1c2d";

    static TokenConfig config(Map<String, String> settings) {
        return new SmallRyeConfigBuilder()
                .withSources(new PropertiesConfigSource(settings, "test", 100))
                .withMapping(TokenConfig.class)
                .build()
                .getConfigMapping(TokenConfig.class);
    }

    static CallerClaims claims(String issuer, Map<String, String> settings) {
        return new CallerClaims(config(settings), issuer);
    }

    private static Map<String, Object> json(String token) {
        try {
            return JsonUtil.parseJson(token);
        } catch (JoseException e) {
            throw new AssertionError(e);
        }
    }

    private static Set<String> groups(String paths, String token) {
        return claims(ISSUER, Map.of("jwt.groups-claim", paths)).groups(json(token));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "groups | {'groups':['admin','x']}",
                "groups | {'groups':['/admin','/x']}",
                "scope | {'scope':'admin x'}",
                "scope | {'scope':' /admin   x '}",
                "scp | {'scp':'x admin'}",
                "scp | {'scp':['admin','x']}",
                "groups,scope | {'groups':'/admin','scope':'x x'}",
                "realm_access/roles | {'realm_access':{'roles':['admin','x']}}",
                "resource_access/my-app/roles | {'resource_access':{'my-app':{'roles':['admin','x']}}}",
                "resource_access/https://app/one/roles |"
                        + " {'resource_access':{'https://app/one':{'roles':['admin','x']}}}",
                "https://example.com/roles | {'https://example.com/roles':['admin','x']}",
                "cognito:groups | {'cognito:groups':['admin','x']}",
                "a/b | {'a/b':['admin','x'],'a':{'b':['z']}}",
                "realm_access/roles,groups | {'realm_access':{'roles':['admin']},'groups':['/x','/admin']}",
                "realm_access/roles, groups | {'groups':['admin','x']}",
                "scope,roles | {'scope':'admin','roles':['x']}"
            })
    void groupsAreReadWhereTheyAreToldToBe(String paths, String token) {
        assertThat(groups(paths, token.replace('\'', '"'))).containsExactlyInAnyOrder("admin", "x");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{'groups':['admin']}",
                "{'realm_access':null}",
                "{'realm_access':{}}",
                "{'realm_access':{'roles':null}}",
                "{'realm_access':{'roles':[]}}",
                "{'realm_access':{'roles':['','/','\\u0000']}}",
                "{'realm_access':{'roles':''}}",
                "{'realm_access':['roles']}",
                "{'realm_access':'roles'}",
                "{'roles':['admin']}"
            })
    void whereTheyAreNotThereAreNone(String token) {
        assertThat(groups("realm_access/roles", token.replace('\'', '"'))).isEmpty();
    }

    /** Whoever may name a group there would otherwise be in any. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "groups | {'groups':'Site admin'} | Site admin",
                "groups | {'groups':'/Site admin'} | Site admin",
                "groups | {'groups':'admin'} | admin",
                "roles,groups | {'groups':'Site admin'} | Site admin",
                "realm_access/roles | {'realm_access':{'roles':'Site admin'}} | Site admin",
                "https://example.com/scope | {'https://example.com/scope':'Site admin'} | Site admin",
                "scope | {'scope':['Site admin']} | Site admin",
                "scope | {'scope':'Site\u00a0admin'} | Site\u00a0admin"
            })
    void aTextIsOneGroupUnlessItsClaimIsAListWithSpaces(String paths, String token, String group) {
        assertThat(groups(paths, token.replace('\'', '"'))).containsExactly(group);
    }

    @Test
    void aGroupBelowAnotherIsNotThatGroup() {
        assertThat(groups("groups", "{\"groups\":[\"/org/admin\",\"//admin\",\"Admin\",\"admin/\"]}"))
                .containsExactlyInAnyOrder("org/admin", "/admin", "Admin", "admin/");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"5", "true", "{'admin':true}", "['admin',5]", "[['admin']]", "[null]", "[{'name':'admin'}]"})
    void groupsThatAreNoTextsAreRefused(String value) {
        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> groups("groups", "{\"groups\":" + value.replace('\'', '"') + "}"))
                .withMessage("The token's groups must be a list of texts, or one text");
    }

    @Test
    void theUserIsInAnotherClaim() {
        CallerClaims oid = claims(ISSUER, Map.of("jwt.user-id-claim", "oid"));
        CallerClaims deep = claims(ISSUER, Map.of("jwt.user-id-claim", "ext/user/id"));

        assertThat(oid.userId(Map.of("sub", "AAAAb", "oid", ID))).isEqualTo(UUID.fromString(ID));
        assertThat(deep.userId(json("{\"ext\":{\"user\":{\"id\":\"" + ID + "\"}}}")))
                .isEqualTo(UUID.fromString(ID));
        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> oid.userId(Map.of("sub", ID)))
                .withMessage("The token names no user: oid is missing");
        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> oid.userId(Map.of("oid", "auth0|5f7c")))
                .withMessage("The token names no user: oid must be a UUID");
    }

    /** As Python has it: {@code uuid5(uuid5(NAMESPACE_URL, issuer), claim)}. */
    @Test
    void theUserIsDerivedFromIssuerAndClaim() {
        CallerClaims derived = claims(ISSUER, Map.of("jwt.user-id", "derived"));
        UUID user = derived.userId(Map.of("sub", "auth0|5f7c"));

        assertThat(user).isEqualTo(UUID.fromString("abaad2c6-847c-5903-b5f8-f08c5e146188"));
        assertThat(derived.userId(Map.of("sub", "Zo\u00eb")))
                .isEqualTo(UUID.fromString("e7a5c47a-1110-503a-89f1-887c5dc01fa9"));
        assertThat(derived.userId(Map.of("sub", "auth0|5f7c"))).isEqualTo(user);
        assertThat(derived.userId(Map.of("sub", "auth0|5f7d"))).isNotEqualTo(user);
        assertThat(claims("https://tenant.us.auth0.com/", Map.of("jwt.user-id", "derived"))
                        .userId(Map.of("sub", "auth0|5f7c")))
                .isNotEqualTo(user);
        // or somebody whose claim can be chosen would be whom he likes
        assertThat(derived.userId(Map.of("sub", user.toString()))).isNotEqualTo(user);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{'sub':null}", "{'sub':''}", "{'sub':5}", "{'sub':['a']}", "{'sub':{}}"})
    void aDerivedUserNeedsATextToo(String token) {
        CallerClaims derived = claims(ISSUER, Map.of("jwt.user-id", "derived"));

        assertThatExceptionOfType(Refused.class)
                .isThrownBy(() -> derived.userId(json(token.replace('\'', '"'))))
                .withMessageContaining("names no user: sub");
    }

    /** RFC 9562, appendix A.4. */
    @Test
    void namedIdsAreThoseOfTheStandard() {
        assertThat(Ids.named(UUID.fromString("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "www.example.com"))
                .isEqualTo(UUID.fromString("2ed6657d-e927-568b-95e1-2665a8aea6a2"));
    }

    @ParameterizedTest
    @CsvSource({
        "jwt.user-id,uuid",
        "jwt.user-id,''",
        "jwt.user-id-claim,' '",
        "jwt.user-id-claim,''",
        "jwt.groups-claim,' '",
        "jwt.groups-claim,''",
        "jwt.keys-refresh,0S",
        "jwt.keys-refresh,-5S",
        "jwt.keys-retry,soon",
        "jwt.keys-retry,0S"
    })
    void aSettingThatCannotBeIsRefusedByItsName(String name, String value) {
        assertThatThrownBy(() -> config(Map.of(name, value))).hasMessageContaining(name);
    }
}
