package ai.buildscale.agents.platform;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.security.AuthenticationFailedException;
import io.quarkus.security.identity.IdentityProviderManager;
import io.quarkus.security.identity.SecurityIdentity;
import io.quarkus.security.identity.request.AuthenticationRequest;
import io.quarkus.security.runtime.QuarkusSecurityIdentity;
import io.quarkus.vertx.http.runtime.security.ChallengeData;
import io.quarkus.vertx.http.runtime.security.HttpAuthenticationMechanism;
import io.smallrye.jwt.auth.principal.JWTParser;
import io.smallrye.jwt.auth.principal.ParseException;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.jwt.JsonWebToken;

/**
 * Says who is calling: by a bearer JWT, verified once and then remembered until it expires, or by a stream token.
 * Runs on every request, on its event loop; only the first look at a token leaves it.
 */
@ApplicationScoped
public class Authentication implements HttpAuthenticationMechanism {
    private static final String BEARER = "Bearer ";
    /** Tokens remembered at most; a JWT and its identity weigh about 2 kB. */
    private static final int REMEMBERED = 20_000;

    /** What fits into a {@code timestamptz} and a timer alike; no honest token lives that long. */
    private static final Instant END_OF_TIME = Instant.parse("9999-12-31T00:00:00Z");

    private final Trouble trouble =
            new Trouble(Authentication.class, "new tokens cannot be checked, the keys of JWT_KEYS do not come");
    private final JWTParser parser;
    private final StreamTokens streamTokens;
    private final Cache<String, SecurityIdentity> verified = Caffeine.newBuilder()
            .maximumSize(REMEMBERED)
            .expireAfter(Expiry.creating((String token, SecurityIdentity identity) ->
                    Duration.between(Instant.now(), caller(identity).expiresAt())))
            .build();

    private final boolean complete;

    Authentication(
            JWTParser parser,
            StreamTokens streamTokens,
            @ConfigProperty(name = "mp.jwt.verify.publickey.location") Optional<String> keys,
            @ConfigProperty(name = "mp.jwt.verify.issuer") Optional<String> issuer,
            @ConfigProperty(name = "mp.jwt.verify.audiences") Optional<List<String>> audiences) {
        this.parser = parser;
        this.streamTokens = streamTokens;
        this.complete = keys.isPresent() && issuer.isPresent() && audiences.isPresent();
    }

    /** Without one of these the check would let tokens of other issuers or for other services pass. */
    void start(@Observes StartupEvent event) {
        if (!complete) {
            throw new IllegalStateException(
                    "Set JWT_KEYS (address of a JWKS, or of a PEM key), JWT_ISSUER and JWT_AUDIENCE");
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
        SecurityIdentity known = verified.getIfPresent(token);
        if (known != null && caller(known).expiresAt().isAfter(Instant.now())) {
            return Uni.createFrom().item(known);
        }
        return Uni.createFrom()
                .completionStage(() -> Vertx.currentContext()
                        .executeBlocking(() -> verify(token), false)
                        .toCompletionStage());
    }

    private SecurityIdentity verify(String token) {
        try {
            JsonWebToken jwt = parser.parse(token);
            Set<String> groups = jwt.getGroups() == null ? Set.of() : Set.copyOf(jwt.getGroups());
            Instant expiresAt = Instant.ofEpochSecond(jwt.getExpirationTime());
            // the parser allows for a clock that is a second behind
            if (!expiresAt.isAfter(Instant.now()) || expiresAt.isAfter(END_OF_TIME)) {
                throw new AuthenticationFailedException("the token has expired, or never does");
            }
            SecurityIdentity identity = identity(new Caller(Ids.parse(jwt.getSubject()), groups, expiresAt));
            verified.put(token, identity);
            trouble.over();
            return identity;
        } catch (ParseException
                | IllegalArgumentException
                | NullPointerException
                | ClassCastException
                | DateTimeException e) {
            if (isUnreachable(e)) {
                trouble.met(e);
                throw Problem.unavailable();
            }
            throw new AuthenticationFailedException("the token is not valid", e);
        }
    }

    /** Whether it is not the token's fault: the address of the keys does not answer. */
    private static boolean isUnreachable(Throwable failure) {
        return failure != null && (failure instanceof IOException || isUnreachable(failure.getCause()));
    }

    private static SecurityIdentity identity(Caller caller) {
        if (caller == null) {
            throw new AuthenticationFailedException("the stream token is not valid");
        }
        return QuarkusSecurityIdentity.builder()
                .setPrincipal(caller)
                .addRoles(new HashSet<>(caller.groups()))
                .build();
    }

    private static Caller caller(SecurityIdentity identity) {
        return (Caller) identity.getPrincipal();
    }

    @Override
    public Uni<ChallengeData> getChallenge(RoutingContext context) {
        return Uni.createFrom().item(new ChallengeData(401, "WWW-Authenticate", "Bearer"));
    }

    @Override
    public Uni<Boolean> sendChallenge(RoutingContext context) {
        context.response().putHeader("WWW-Authenticate", "Bearer");
        ProblemWriter.write(context, Problem.unauthenticated());
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
