package ai.buildscale.agents.platform.security;

import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemWriter;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.security.AuthenticationFailedException;
import io.quarkus.security.identity.IdentityProviderManager;
import io.quarkus.security.identity.SecurityIdentity;
import io.quarkus.security.identity.request.AuthenticationRequest;
import io.quarkus.security.runtime.QuarkusSecurityIdentity;
import io.quarkus.vertx.http.runtime.security.ChallengeData;
import io.quarkus.vertx.http.runtime.security.HttpAuthenticationMechanism;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Clock;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Authenticates the caller: by a bearer JWT, verified once and then remembered until it expires, or by a stream token.
 * Runs on every request, on its event loop; only the first verification of a token leaves it.
 *
 * <p>Verification takes about 60 µs of a core for RS256 and 420 µs for ES256, and two changes of thread; a remembered token
 * is found in less than 1 µs. {@code quarkus-smallrye-jwt} would verify the token again on every request.
 */
@ApplicationScoped
public class Authentication implements HttpAuthenticationMechanism {
    private static final String BEARER = "Bearer ";
    /** Tokens remembered at most; a JWT and its identity weigh about 2 kB. */
    private static final int REMEMBERED = 20_000;

    private record Known(SecurityIdentity identity, Verified token) {}

    private final StreamTokens streamTokens;
    private final TokenVerifier verifier;
    private final Vertx vertx;
    private final Clock clock;
    private final Cache<String, Known> verified;

    Authentication(
            StreamTokens streamTokens,
            TokenConfig config,
            Vertx vertx,
            Clock clock,
            @ConfigProperty(name = "mp.jwt.verify.publickey.location") Optional<String> keys,
            @ConfigProperty(name = "mp.jwt.verify.issuer") Optional<String> issuer,
            @ConfigProperty(name = "mp.jwt.verify.audiences") Optional<Set<String>> audiences) {
        this.streamTokens = streamTokens;
        this.vertx = vertx;
        this.clock = clock;
        this.verifier = keys.isPresent() && issuer.isPresent() && audiences.isPresent()
                ? new TokenVerifier(vertx, keys.get(), issuer.get(), audiences.get(), config, clock)
                : null;
        this.verified = Caffeine.newBuilder()
                .maximumSize(REMEMBERED)
                .expireAfter(Expiry.creating((String token, Known known) ->
                        Duration.between(clock.instant(), known.token().caller().expiresAt())))
                .build();
    }

    /** Without one of these the check would let tokens of other issuers or for other services pass. */
    void start(@Observes StartupEvent event, MeterRegistry metrics) {
        if (verifier == null) {
            throw new IllegalStateException(
                    "Set JWT_KEYS (address of a JWKS, or of a PEM key), JWT_ISSUER and JWT_AUDIENCE");
        }
        verifier.start(vertx, metrics);
    }

    void stop(@Observes ShutdownEvent event) {
        if (verifier != null) {
            verifier.stop();
        }
    }

    @Override
    public Uni<SecurityIdentity> authenticate(RoutingContext context, IdentityProviderManager providers) {
        String header = context.request().getHeader("Authorization");
        if (header == null) {
            String streamToken = context.request().getParam(StreamTokens.PARAMETER);
            return streamToken == null || !StreamTokens.mayOpen(context.normalizedPath())
                    ? Uni.createFrom().nullItem()
                    : streamTokens.find(streamToken, context.normalizedPath()).map(Authentication::identity);
        }
        if (!header.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
            return Uni.createFrom().failure(new AuthenticationFailedException("not a bearer token"));
        }
        String token = header.substring(BEARER.length()).trim();
        Known known = verified.getIfPresent(token);
        if (known != null
                && verifier.holds(known.token())
                && known.token().caller().expiresAt().isAfter(clock.instant())) {
            return Uni.createFrom().item(known.identity());
        }
        Context eventLoop = Vertx.currentContext();
        return verifier.verify(token)
                .map(good -> remember(token, good))
                .emitOn(command -> eventLoop.runOnContext(_ -> command.run()));
    }

    private SecurityIdentity remember(String token, Verified good) {
        SecurityIdentity identity = identity(good.caller());
        verified.put(token, new Known(identity, good));
        return identity;
    }

    private static SecurityIdentity identity(Caller caller) {
        if (caller == null) {
            throw Problem.refused("The stream token has expired, or was never issued for this path: get a new one with"
                    + " POST /api/v1/stream-tokens");
        }
        return QuarkusSecurityIdentity.builder()
                .setPrincipal(caller)
                .addRoles(new HashSet<>(caller.groups()))
                .build();
    }

    @Override
    public Uni<ChallengeData> getChallenge(RoutingContext context) {
        return Uni.createFrom().item(new ChallengeData(401, "WWW-Authenticate", "Bearer"));
    }

    @Override
    public Uni<Boolean> sendChallenge(RoutingContext context) {
        ProblemWriter.write(
                context,
                StreamTokens.mayOpen(context.normalizedPath())
                        ? Problem.unauthenticated(
                                "; or, where no header can be sent, ?stream_token=<token> with one from"
                                        + " POST /api/v1/stream-tokens")
                        : Problem.unauthenticated());
        return Uni.createFrom().item(true);
    }

    @Override
    public Set<Class<? extends AuthenticationRequest>> getCredentialTypes() {
        return Set.of();
    }

    /** Before Quarkus' own JWT mechanism, which would verify each token on each request. */
    @Override
    public int getPriority() {
        return DEFAULT_PRIORITY + 1_000;
    }
}
