package ai.buildscale.agents.platform.security;

import java.security.PublicKey;

/**
 * A key that the issuer signs tokens with.
 *
 * @param id its {@code kid}; null where the issuer gives none
 * @param algorithm the only one that it is for; null if it is for all that its type allows
 */
record IssuerKey(String id, String algorithm, PublicKey key) {
    boolean fits(SignatureAlgorithm wanted) {
        return (algorithm == null || algorithm.equals(wanted.toString())) && wanted.takes(key);
    }

    /** Whether a token that names this key may be signed with it; one without a name goes with any name. */
    boolean answersTo(String wanted) {
        return wanted == null || id == null || id.equals(wanted);
    }
}
