package ai.buildscale.agents.platform.security;

import ai.buildscale.agents.platform.problem.Problem;
import jakarta.ws.rs.core.SecurityContext;
import java.security.Principal;
import java.time.Instant;
import java.util.Set;
import java.util.UUID;

/**
 * The caller as proven by a token.
 *
 * @param userId as a claim of the token is, or is made of one
 * @param groups the token's groups
 * @param expiresAt when the token ends, leeway included, and every stream opened with it
 */
public record Caller(UUID userId, Set<String> groups, Instant expiresAt) implements Principal {
    /** Operates the platform: may see and control everything. */
    public static final String ADMIN = "admin";
    /** A process that runs agents outside this service: may beat for the sessions it holds. */
    public static final String AGENT_HOST = "agent-host";

    /**
     * The caller of a request that has passed the token check.
     *
     * @throws Problem {@code INVALID_TOKEN} should one ever get here without
     */
    public static Caller of(SecurityContext security) {
        if (security.getUserPrincipal() instanceof Caller caller) {
            return caller;
        }
        throw Problem.unauthenticated();
    }

    public boolean isAdmin() {
        return groups.contains(ADMIN);
    }

    public boolean isAgentHost() {
        return groups.contains(AGENT_HOST);
    }

    @Override
    public String getName() {
        return userId.toString();
    }
}
