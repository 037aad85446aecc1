package ai.buildscale.agents.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import org.jose4j.jwk.PublicJsonWebKey;
import org.jose4j.lang.JoseException;

/**
 * A key that an issuer signs with. The signatures are the JDK's own, so that they do not come from the library that
 * verifies them.
 *
 * @param id its {@code kid}, null for none
 * @param algorithm what its tokens are signed with
 */
public record SigningKey(String id, String algorithm, KeyPair pair) {
    private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();

    /** A new one for this algorithm; RSA of 2,048 bits. */
    public static SigningKey of(String id, String algorithm) {
        return new SigningKey(
                id,
                algorithm,
                switch (algorithm.substring(0, 2)) {
                    case "RS", "PS" -> rsa(2_048);
                    case "ES" -> ec(algorithm);
                    default -> generate("Ed25519", null, 0);
                });
    }

    public static KeyPair rsa(int bits) {
        return generate("RSA", null, bits);
    }

    private static KeyPair ec(String algorithm) {
        return generate(
                "EC",
                switch (algorithm) {
                    case "ES256" -> "secp256r1";
                    case "ES384" -> "secp384r1";
                    default -> "secp521r1";
                },
                0);
    }

    private static KeyPair generate(String type, String curve, int bits) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance(type);
            if (curve != null) {
                generator.initialize(new ECGenParameterSpec(curve));
            } else if (bits > 0) {
                generator.initialize(bits);
            }
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    /** The same key, of which a token says another algorithm. */
    public SigningKey with(String anotherAlgorithm) {
        return new SigningKey(id, anotherAlgorithm, pair);
    }

    public SigningKey named(String anotherId) {
        return new SigningKey(anotherId, algorithm, pair);
    }

    /** As it is published, with its {@code alg} and {@code use}. */
    public ObjectNode jwk() {
        ObjectNode jwk = bare(pair.getPublic()).put("use", "sig").put("alg", algorithm);
        return id == null ? jwk : jwk.put("kid", id);
    }

    /** A public key without anything beside it. */
    public static ObjectNode bare(PublicKey key) {
        try {
            return (ObjectNode)
                    Api.JSON.readTree(PublicJsonWebKey.Factory.newPublicJwk(key).toJson());
        } catch (JoseException | JsonProcessingException e) {
            throw new AssertionError(e);
        }
    }

    public String pem() {
        return "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder().encodeToString(pair.getPublic().getEncoded())
                + "\n-----END PUBLIC KEY-----\n";
    }

    public String sign(JsonNode claims) {
        ObjectNode header = Api.JSON.createObjectNode().put("typ", "JWT").put("alg", algorithm);
        return sign(id == null ? header : header.put("kid", id), claims.toString());
    }

    public String sign(JsonNode header, String claims) {
        String content = part(header.toString()) + "." + part(claims);
        return content + "." + BASE64.encodeToString(signature(content.getBytes(StandardCharsets.US_ASCII)));
    }

    private static String part(String json) {
        return BASE64.encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    private byte[] signature(byte[] content) {
        try {
            Signature signature = Signature.getInstance(jcaName());
            signature.initSign(pair.getPrivate());
            if (algorithm.startsWith("PS")) {
                signature.setParameter(pss());
            }
            signature.update(content);
            return signature.sign();
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private String jcaName() {
        String bits = algorithm.substring(2);
        return switch (algorithm.substring(0, 2)) {
            case "RS" -> "SHA" + bits + "withRSA";
            case "PS" -> "RSASSA-PSS";
            case "ES" -> "SHA" + bits + "withECDSAinP1363Format";
            default -> "EdDSA";
        };
    }

    private java.security.spec.PSSParameterSpec pss() {
        String bits = algorithm.substring(2);
        return new java.security.spec.PSSParameterSpec(
                "SHA-" + bits,
                "MGF1",
                new java.security.spec.MGF1ParameterSpec("SHA-" + bits),
                Integer.parseInt(bits) / 8,
                1);
    }
}
