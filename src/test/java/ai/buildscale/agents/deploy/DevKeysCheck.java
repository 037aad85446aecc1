package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.DevKeys;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The scripts with which the local overlay and Compose issue tokens: needs openssl, as they do. */
class DevKeysCheck {
    private static String run(Path keys, String... command) throws IOException, InterruptedException {
        List<String> full = new ArrayList<>(List.of("bash", "deploy/dev-keys/" + command[0]));
        full.addAll(List.of(command).subList(1, command.length));
        ProcessBuilder builder = new ProcessBuilder(full).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("KEYS", keys.toString());
        builder.environment().put("JWT_ISSUER", DevKeys.ISSUER);
        builder.environment().put("JWT_AUDIENCE", DevKeys.AUDIENCE);
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        return out.strip();
    }

    @Test
    void theServiceTakesTheirTokens(@TempDir Path keys) throws IOException, InterruptedException {
        run(keys, "keys.sh");
        Path publicKey = keys.resolve("jwt.pub.pem");
        String first = Files.readString(publicKey);
        run(keys, "keys.sh");
        assertThat(publicKey).hasContent(first);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(keys.resolve("jwt.pem"))))
                .isEqualTo("rw-------");

        try (Service service = Service.start(Map.of("mp.jwt.verify.publickey.location", "file:" + publicKey))) {
            UUID user = UUID.randomUUID();
            Api somebody = Api.withToken(service, user, run(keys, "token.sh", user.toString()));
            somebody.newWorkspace();
            assertThat(somebody.get("/servers").status()).isEqualTo(403);
            Api.withToken(service, user, run(keys, "token.sh", user.toString(), "agent-host", "admin"))
                    .get("/servers")
                    .expect(200);
            Api.withToken(service, user, run(keys, "token.sh"))
                    .get("/workspaces")
                    .expect(200);
        }
    }
}
