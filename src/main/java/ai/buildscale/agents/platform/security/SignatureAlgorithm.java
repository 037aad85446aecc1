package ai.buildscale.agents.platform.security;

import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.EdECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jose4j.keys.EllipticCurves;

/** The algorithms that tokens may be signed with (RFC 7518, section 3.1, and RFC 8037), and which keys each takes. */
enum SignatureAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EDDSA;

    /** RFC 7518, section 3.3: shorter ones must not be used. */
    static final int SHORTEST_RSA = 2048;

    /** By the name that a token or a key gives; empty for all others, {@code none} and those of shared secrets too. */
    static Optional<SignatureAlgorithm> of(Object name) {
        return Arrays.stream(values())
                .filter(known -> known.toString().equals(name))
                .findFirst();
    }

    static String names() {
        return Arrays.stream(values()).map(SignatureAlgorithm::toString).collect(Collectors.joining(", "));
    }

    boolean takes(PublicKey key) {
        return switch (this) {
            case RS256, RS384, RS512, PS256, PS384, PS512 ->
                key instanceof RSAPublicKey rsa && rsa.getModulus().bitLength() >= SHORTEST_RSA;
            case ES256 -> isOn("P-256", key);
            case ES384 -> isOn("P-384", key);
            case ES512 -> isOn("P-521", key);
            case EDDSA -> key instanceof EdECPublicKey;
        };
    }

    private static boolean isOn(String curve, PublicKey key) {
        return key instanceof ECPublicKey ec
                && curve.equals(EllipticCurves.getName(ec.getParams().getCurve()));
    }

    /** As it is written in tokens. */
    @Override
    public String toString() {
        return this == EDDSA ? "EdDSA" : name();
    }
}
