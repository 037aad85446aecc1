package ai.buildscale.agents.platform.postgres;

import io.smallrye.health.api.AsyncHealthCheck;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/**
 * Ready when the schema is applied and a write would pass, whatever event loop it comes to: each pool answers and takes
 * writes, and no connection is known to be read-only or silent.
 */
@Readiness
@ApplicationScoped
public class DatabaseHealth implements AsyncHealthCheck {
    private static final String NAME = "database";

    private final Database database;
    private final Connections connections;
    private final Migrations migrations;

    DatabaseHealth(Database database, Connections connections, Migrations migrations) {
        this.database = database;
        this.connections = connections;
        this.migrations = migrations;
    }

    @Override
    public Uni<HealthCheckResponse> call() {
        if (!migrations.done()) {
            return Uni.createFrom().item(down("migrations", migrations.state()));
        }
        return connections
                .ailing()
                .map(outage -> Uni.createFrom().item(down("reason", outage.toString())))
                .orElseGet(this::ask);
    }

    private Uni<HealthCheckResponse> ask() {
        return database.takesWrites()
                .map(takes -> takes ? HealthCheckResponse.up(NAME) : down("reason", OutageReason.READ_ONLY.toString()))
                .onFailure()
                .recoverWithItem(e -> down("reason", e.getMessage()));
    }

    private static HealthCheckResponse down(String what, String value) {
        return HealthCheckResponse.named(NAME).down().withData(what, value).build();
    }
}
