package ai.buildscale.agents.platform.security;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jose4j.json.JsonUtil;
import org.jose4j.jwa.AlgorithmConstraints;
import org.jose4j.jws.JsonWebSignature;
import org.jose4j.lang.JoseException;

/**
 * Checks a token: its claims, and its signature by a key of the issuer. What it says is looked at first, so that a
 * token of another issuer is called that, and not one of an unknown key.
 */
final class TokenCheck {
    /** Before an {@code nbf} or an {@code iat}: the issuer's clock may go faster than this one. */
    static final Duration EARLY = Duration.ofSeconds(30);
    /** After an {@code exp}. */
    static final Duration LATE = Duration.ofSeconds(1);

    /** What fits into a {@code timestamptz} and a timer alike; no honest token lives that long. */
    private static final Instant END_OF_TIME = Instant.parse("9999-12-31T00:00:00Z");

    private static final Pattern COMPACT = Pattern.compile("[A-Za-z0-9_-]++\\.[A-Za-z0-9_-]++\\.[A-Za-z0-9_-]++");

    private final String issuer;
    private final Set<String> audiences;
    private final CallerClaims callers;
    private final Clock clock;

    TokenCheck(String issuer, Set<String> audiences, CallerClaims callers, Clock clock) {
        this.issuer = issuer;
        this.audiences = Set.copyOf(audiences);
        this.callers = callers;
        this.clock = clock;
    }

    /**
     * For whom the token stands, until its end with what is allowed after it.
     *
     * @throws Refused if it is not good
     */
    Caller caller(String token, KeySet keys) {
        JsonWebSignature signed = parse(token);
        SignatureAlgorithm algorithm = SignatureAlgorithm.of(signed.getHeaders().getObjectHeaderValue("alg"))
                .orElseThrow(() -> new Refused(
                        "The token's alg is not accepted: it must be one of " + SignatureAlgorithm.names()));
        Caller caller = caller(claims(signed));
        requireSignature(signed, algorithm, keys);
        return caller;
    }

    private static JsonWebSignature parse(String token) {
        if (!COMPACT.matcher(token).matches()) {
            throw new Refused(
                    "The token is malformed: a signed JWT has three parts in Base64url with dots between them");
        }
        JsonWebSignature signed = new JsonWebSignature();
        signed.setAlgorithmConstraints(AlgorithmConstraints.NO_CONSTRAINTS);
        try {
            signed.setCompactSerialization(token);
        } catch (JoseException e) {
            throw new Refused("The token is malformed: its header is not a JSON object");
        }
        if (signed.getHeaders().getObjectHeaderValue("crit") != null) {
            throw new Refused("The token's header has crit, and what that asks for is not known here");
        }
        return signed;
    }

    private static Map<String, Object> claims(JsonWebSignature signed) {
        try {
            return JsonUtil.parseJson(signed.getUnverifiedPayload());
        } catch (JoseException e) {
            throw new Refused("The token is malformed: its claims are not a JSON object");
        }
    }

    private Caller caller(Map<String, Object> claims) {
        if (!issuer.equals(claims.get("iss"))) {
            throw new Refused("The token is of another issuer: iss must be exactly the one that this service trusts");
        }
        requireAudience(claims.get("aud"));
        Instant end = end(claims);
        requireBegun(claims, "nbf");
        requireBegun(claims, "iat");
        return new Caller(callers.userId(claims), callers.groups(claims), end);
    }

    private void requireAudience(Object audience) {
        List<?> named =
                audience instanceof List<?> several ? several : audience == null ? List.of() : List.of(audience);
        if (named.isEmpty()) {
            throw new Refused("The token is for no audience: it has no aud");
        }
        if (named.stream().noneMatch(name -> name instanceof String && audiences.contains(name))) {
            throw new Refused("The token is for another audience: aud does not name this service");
        }
    }

    private Instant end(Map<String, Object> claims) {
        Instant end = time(claims, "exp");
        if (end == null) {
            throw new Refused("The token has no exp, and without an end it is not accepted");
        }
        end = end.plus(LATE);
        if (!end.isAfter(clock.instant())) {
            throw new Refused("The token has expired: its exp is in the past");
        }
        return end;
    }

    private void requireBegun(Map<String, Object> claims, String name) {
        Instant begin = time(claims, name);
        if (begin != null && begin.isAfter(clock.instant().plus(EARLY))) {
            throw new Refused("The token is not yet valid: its " + name + " is in the future");
        }
    }

    /** A NumericDate (RFC 7519, section 2), which may have a fraction; null if there is none. */
    private static Instant time(Map<String, Object> claims, String name) {
        Object value = claims.get(name);
        if (value == null) {
            return null;
        }
        double seconds = value instanceof Number number ? number.doubleValue() : Double.NaN;
        if (seconds >= 0 && seconds <= END_OF_TIME.getEpochSecond()) {
            return Instant.ofEpochMilli((long) (seconds * 1_000));
        }
        throw new Refused("The token's " + name + " is not a time: it must be the number of seconds since 1970");
    }

    private static void requireSignature(JsonWebSignature signed, SignatureAlgorithm algorithm, KeySet keys) {
        Object id = signed.getHeaders().getObjectHeaderValue("kid");
        if (id != null && !(id instanceof String)) {
            throw new Refused("The token is malformed: its kid must be a text");
        }
        List<IssuerKey> named = keys.answeringTo((String) id);
        List<IssuerKey> fitting =
                named.stream().filter(key -> key.fits(algorithm)).toList();
        if (fitting.stream().anyMatch(key -> isSigned(signed, key))) {
            return;
        }
        boolean byName =
                named.stream().anyMatch(key -> key.id() != null && key.id().equals(id));
        if (byName && fitting.isEmpty()) {
            throw new Refused(Refused.Reason.SIGNATURE, "The token's alg is not one of the key that its kid names");
        }
        // where no key has a name, a name says nothing
        if (byName || (!fitting.isEmpty() && (id == null || named.size() == keys.size()))) {
            throw new Refused(Refused.Reason.SIGNATURE, "The token's signature is not valid");
        }
        throw new Refused(
                Refused.Reason.UNKNOWN_KEY,
                "The token is signed with an unknown key: the issuer has none of its kid that fits its alg");
    }

    private static boolean isSigned(JsonWebSignature signed, IssuerKey key) {
        try {
            signed.setKey(key.key());
            return signed.verifySignature();
        } catch (JoseException | RuntimeException e) {
            return false;
        }
    }
}
