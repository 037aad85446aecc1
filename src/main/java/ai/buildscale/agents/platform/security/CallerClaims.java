package ai.buildscale.agents.platform.security;

import ai.buildscale.agents.platform.Ids;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Reads the user and the groups from a token's claims: issuers use claims of their own. */
final class CallerClaims {
    /** The claims that RFC 8693 (section 4.2) and its neighbours define as one text with spaces between. */
    private static final Set<String> SPACED = Set.of("scope", "scp");

    private final String userIdClaim;
    private final List<String> groupsClaims;
    /** What user ids are derived in; null where the claim is the id. */
    private final UUID namespace;

    CallerClaims(TokenConfig config, String issuer) {
        this.userIdClaim = config.userIdClaim();
        this.groupsClaims = config.groupsClaim();
        this.namespace = config.userId() == TokenConfig.UserId.DERIVED ? Ids.named(Ids.URL_NAMESPACE, issuer) : null;
    }

    /**
     * The user.
     *
     * @throws Refused if the token does not tell
     */
    UUID userId(Map<String, Object> claims) {
        Object value = find(claims, userIdClaim);
        if (!(value instanceof String text) || text.isEmpty()) {
            throw new Refused("The token names no user: " + userIdClaim
                    + (value == null ? " is missing" : " must be a text that is not empty"));
        }
        if (namespace != null) {
            return Ids.named(namespace, text);
        }
        try {
            return Ids.parse(text);
        } catch (IllegalArgumentException e) {
            throw new Refused("The token names no user: " + userIdClaim + " must be a UUID");
        }
    }

    /**
     * The groups of all the claims together; none where there are no such claims. A single text is one group, whatever is
     * in its name, but for a claim that is a list by its definition.
     *
     * @throws Refused if a claim is neither a list of texts nor one text
     */
    Set<String> groups(Map<String, Object> claims) {
        Set<String> groups = new HashSet<>();
        for (String path : groupsClaims) {
            switch (find(claims, path)) {
                case null -> {}
                case String text
                when SPACED.contains(path) -> List.of(text.split(" ")).forEach(group -> add(groups, group));
                case String text -> add(groups, text);
                case List<?> texts
                when texts.stream().allMatch(String.class::isInstance) ->
                    texts.forEach(group -> add(groups, (String) group));
                default -> throw new Refused("The token's " + path + " must be a list of texts, or one text");
            }
        }
        return Set.copyOf(groups);
    }

    /** Keycloak writes a group as a path, {@code /admin}. Postgres keeps no NUL. */
    private static void add(Set<String> groups, String written) {
        String group = written.startsWith("/") ? written.substring(1) : written;
        if (!group.isEmpty() && group.indexOf('\0') < 0) {
            groups.add(group);
        }
    }

    /**
     * The claim at a path, as {@code realm_access/roles}; null if there is none. A name may hold a slash itself, as
     * {@code https://example.com/roles} does.
     */
    static Object find(Map<?, ?> claims, String path) {
        Object found = claims.get(path);
        for (int slash = path.indexOf('/'); found == null && slash >= 0; slash = path.indexOf('/', slash + 1)) {
            if (claims.get(path.substring(0, slash)) instanceof Map<?, ?> inner) {
                found = find(inner, path.substring(slash + 1));
            }
        }
        return found;
    }
}
