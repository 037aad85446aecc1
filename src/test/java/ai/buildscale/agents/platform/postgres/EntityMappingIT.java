package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Hibernate's own validation compares the mapping of the entities with the schema that the migrations have made. */
class EntityMappingIT {
    private static final Map<String, String> VALIDATE = Map.of(
            "quarkus.hibernate-orm.schema-management.strategy",
            "validate",
            "quarkus.hibernate-orm.database.start-offline",
            "false");

    @Test
    void theMappingFitsTheMigratedSchema() {
        Service.start(Postgres.newMigratedDatabase(), VALIDATE).close();
    }

    @Test
    void aColumnThatIsNotThereIsFound() {
        String database = Postgres.newMigratedDatabase();
        Postgres.execute(database, "alter table chats rename column on_busy to when_busy");

        try (Service service = Service.launch(database, VALIDATE)) {
            await().atMost(Duration.ofSeconds(60))
                    .untilAsserted(
                            () -> assertThat(service.log()).contains("missing column [on_busy] in table [chats]"));
        }
    }
}
