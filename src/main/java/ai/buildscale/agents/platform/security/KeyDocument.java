package ai.buildscale.agents.platform.security;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jose4j.json.JsonUtil;
import org.jose4j.jwk.PublicJsonWebKey;
import org.jose4j.lang.JoseException;

/**
 * Parses the key document that the issuer publishes: a JWKS or one JWK (RFC 7517), or PEM. A key that is not for
 * signatures or cannot be read is left out; the others are as good without it.
 *
 * @param keys those that can be used
 * @param leftOut why others cannot, each reason once
 */
record KeyDocument(KeySet keys, Set<String> leftOut) {
    private static final Pattern PEM =
            Pattern.compile("-----BEGIN (PUBLIC KEY|CERTIFICATE)-----([A-Za-z0-9+/=\\s]+)-----END \\1-----");
    /** What a public key is made of; private parts and certificates beside it are not read. */
    private static final List<String> PUBLIC = List.of("kty", "n", "e", "crv", "x", "y");

    private static final List<String> TYPES = List.of("RSA", "EC", "EdDSA");

    /** @throws IOException if it is nothing of the kind */
    static KeyDocument read(String text) throws IOException {
        KeyReader reader = new KeyReader();
        if (text.contains("-----BEGIN ")) {
            readPem(text, reader);
        } else {
            readJson(text, reader);
        }
        return new KeyDocument(new KeySet(reader.keys), reader.leftOut);
    }

    private static void readPem(String text, KeyReader reader) throws IOException {
        Matcher blocks = PEM.matcher(text);
        while (blocks.find()) {
            byte[] der = Base64.getMimeDecoder().decode(blocks.group(2));
            boolean certificate = blocks.group(1).equals("CERTIFICATE");
            reader.add(() -> new IssuerKey(null, null, certificate ? certified(der) : publicKey(der)));
        }
        if (reader.keys.isEmpty()) {
            throw new IOException("there is no public key in the PEM that can be used " + reader.leftOut);
        }
    }

    private static void readJson(String text, KeyReader reader) throws IOException {
        Map<String, Object> document;
        try {
            document = JsonUtil.parseJson(text);
        } catch (JoseException e) {
            // without its cause, of which the log would tell in place of this
            throw new IOException("what is answered is neither a JWKS nor PEM");
        }
        if (document.get("keys") instanceof List<?> keys) {
            keys.forEach(reader::add);
        } else if (document.containsKey("kty")) {
            reader.add(document);
        } else if (document.containsKey("jwks_uri")) {
            throw new IOException("this is what the issuer tells of itself; the address of the keys is its jwks_uri");
        } else {
            throw new IOException("the JSON that is answered has no keys");
        }
    }

    private static boolean isForAnotherUse(Map<?, ?> jwk) {
        Object use = jwk.get("use");
        return (use != null && !use.equals("sig"))
                || (jwk.get("key_ops") instanceof List<?> operations && !operations.contains("verify"));
    }

    private static IssuerKey key(Map<?, ?> jwk) throws JoseException {
        Map<String, Object> bare = new HashMap<>();
        PUBLIC.forEach(name -> {
            if (jwk.get(name) instanceof String value) {
                bare.put(name, value);
            }
        });
        return new IssuerKey(
                text(jwk, "kid"),
                text(jwk, "alg"),
                PublicJsonWebKey.Factory.newPublicJwk(bare).getPublicKey());
    }

    private static String text(Map<?, ?> jwk, String name) {
        return jwk.get(name) instanceof String value ? value : null;
    }

    private static PublicKey certified(byte[] der) throws GeneralSecurityException {
        return CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(der))
                .getPublicKey();
    }

    private static PublicKey publicKey(byte[] der) throws GeneralSecurityException {
        for (String type : TYPES) {
            try {
                return KeyFactory.getInstance(type).generatePublic(new X509EncodedKeySpec(der));
            } catch (InvalidKeySpecException e) {
                // of another type
            }
        }
        throw new GeneralSecurityException("of no type that is known");
    }

    private interface Source {
        IssuerKey read() throws GeneralSecurityException, JoseException;
    }

    /** Gathers the keys that can be used, and why others cannot. */
    private static final class KeyReader {
        private final Set<IssuerKey> keys = new HashSet<>();
        private final Set<String> leftOut = new TreeSet<>();

        void add(Object element) {
            if (!(element instanceof Map<?, ?> jwk)) {
                leftOut.add("not readable");
            } else if (isForAnotherUse(jwk)) {
                leftOut.add("not for signatures");
            } else {
                add(() -> key(jwk));
            }
        }

        /** Whatever is wrong with one is that one's trouble alone; reasons are ours, not the issuer's words. */
        void add(Source source) {
            try {
                IssuerKey key = source.read();
                if (Arrays.stream(SignatureAlgorithm.values()).anyMatch(key::fits)) {
                    keys.add(key);
                } else {
                    leftOut.add(
                            key.key() instanceof RSAPublicKey && key.algorithm() == null
                                    ? "RSA of fewer than " + SignatureAlgorithm.SHORTEST_RSA + " bits"
                                    : "of another algorithm");
                }
            } catch (GeneralSecurityException | JoseException | RuntimeException e) {
                leftOut.add("not readable");
            }
        }
    }
}
