package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Service;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MigrationsIT {
    /** Flyway takes a good part of a start: it is loaded only where there is something for it to do. */
    @Test
    void aSchemaThatIsUpToDateIsNotGivenToFlyway() {
        String database = Postgres.newDatabase();
        try (Service first = Service.start(database, Map.of())) {
            assertThat(first.log().lines().filter(line -> line.contains("Migrations]")))
                    .singleElement()
                    .asString()
                    .matches(".* applied [0-9]+ migrations in [0-9]+ ms: the schema public is at version [0-9]+");
            assertThat(first.log()).doesNotContain("o.f.c.").doesNotContain("already registered");
        }
        try (Service second = Service.start(database, Map.of())) {
            assertThat(second.log())
                    .contains("joins the fleet")
                    .doesNotContain("Migrations]")
                    .doesNotContain("o.f.c.");
        }
    }
}
