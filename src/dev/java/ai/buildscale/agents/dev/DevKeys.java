package ai.buildscale.agents.dev;

import io.smallrye.jwt.build.Jwt;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.Base64;
import java.util.Set;
import java.util.UUID;

/** The key pair of the development token issuer, kept in a folder so that tokens outlive a restart. */
public final class DevKeys {
    public static final String ISSUER = "https://agent-sessions.dev";
    public static final String AUDIENCE = "agent-sessions";

    private final Path folder;

    public DevKeys(Path folder) {
        this.folder = folder;
        if (!Files.exists(privateFile()) || !Files.exists(publicFile())) {
            generate();
        }
    }

    /** PEM, readable by the token check. */
    public Path publicFile() {
        return folder.resolve("dev-key.pub.pem");
    }

    private Path privateFile() {
        return folder.resolve("dev-key.pem");
    }

    /** What tokens are signed with, RS256. */
    public PrivateKey privateKey() {
        try {
            String pem = Files.readString(privateFile()).replaceAll("-----[A-Z ]+-----|\\s", "");
            return KeyFactory.getInstance("RSA")
                    .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A token of this issuer. */
    public String token(UUID userId, Set<String> groups, Duration validFor) {
        return Jwt.issuer(ISSUER)
                .audience(AUDIENCE)
                .subject(userId.toString())
                .groups(groups)
                .expiresIn(validFor)
                .sign(privateKey());
    }

    /** One of a new user, good for an hour. */
    public String token() {
        return token(UUID.randomUUID(), Set.of(), Duration.ofHours(1));
    }

    private void generate() {
        try {
            Files.createDirectories(folder);
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            KeyPair pair = generator.generateKeyPair();
            Files.writeString(
                    privateFile(), pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
            Files.setPosixFilePermissions(privateFile(), PosixFilePermissions.fromString("rw-------"));
            Files.writeString(publicFile(), pem("PUBLIC KEY", pair.getPublic().getEncoded()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(String kind, byte[] der) {
        return "-----BEGIN " + kind + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der) + "\n-----END " + kind + "-----\n";
    }
}
