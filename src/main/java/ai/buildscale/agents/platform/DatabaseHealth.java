package ai.buildscale.agents.platform;

import io.smallrye.health.api.AsyncHealthCheck;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** Ready when the schema is applied and Postgres answers. */
@Readiness
@ApplicationScoped
public class DatabaseHealth implements AsyncHealthCheck {
    private final Database database;
    private final Migrations migrations;

    DatabaseHealth(Database database, Migrations migrations) {
        this.database = database;
        this.migrations = migrations;
    }

    @Override
    public Uni<HealthCheckResponse> call() {
        if (!migrations.done()) {
            return Uni.createFrom()
                    .item(HealthCheckResponse.named("database")
                            .down()
                            .withData("migrations", migrations.state())
                            .build());
        }
        return database.rows("select 1")
                .map(_ -> HealthCheckResponse.up("database"))
                .onFailure()
                .recoverWithItem(e -> HealthCheckResponse.named("database")
                        .down()
                        .withData("reason", e.getMessage())
                        .build());
    }
}
