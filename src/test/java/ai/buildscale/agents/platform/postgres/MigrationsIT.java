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
            assertThat(first.log()).contains("o.f.c.i.c.DbMigrate");
        }
        try (Service second = Service.start(database, Map.of())) {
            assertThat(second.log()).contains("joins the fleet").doesNotContain("o.f.c.");
        }
    }
}
