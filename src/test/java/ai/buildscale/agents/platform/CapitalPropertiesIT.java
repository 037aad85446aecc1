package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import ai.buildscale.agents.testing.Service;
import ai.buildscale.agents.testing.Tokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Settings count however they are spelled; one that cannot count where it stands is refused. */
class CapitalPropertiesIT {
    private static final String NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none";

    @Test
    void aSystemPropertyMayBeSpelledAsAVariable() {
        UUID user = UUID.randomUUID();
        try (Service service = Service.launch(
                NO_DATABASE,
                Map.of("JWT_USER_ID", "claim"),
                "-DDATABASE_URL=" + Postgres.newDatabase(),
                "-DJWT_USER_ID=derived",
                "-DTRUSTED_PROXIES=127.0.0.1")) {
            service.awaitReady();
            String creator = Api.withToken(service, user, Tokens.of(user))
                    .post("/workspaces", "{\"name\":\"A workspace\"}")
                    .expect(201)
                    .at("/workspace/created_by")
                    .asText();

            assertThat(creator).hasSize(36).isNotEqualTo(user.toString());
        }
    }

    @Test
    void proxiesThatAFileNamesAreRefused(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("more.properties"), "trusted.proxies=10.0.0.0/8\n");
        try (Service service = Service.launch(NO_DATABASE, Map.of("QUARKUS_CONFIG_LOCATIONS", file.toString()))) {
            Servers.await().until(() -> !service.isAlive());

            assertThat(service.log()).contains("TRUSTED_PROXIES must be a variable of the environment");
        }
    }
}
