package ai.buildscale.agents.platform.postgres;

import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Startup;

/** Started once the migrations are applied. */
@Startup
@ApplicationScoped
public class StartedHealth implements HealthCheck {
    private final Migrations migrations;

    StartedHealth(Migrations migrations) {
        this.migrations = migrations;
    }

    @Override
    public HealthCheckResponse call() {
        return HealthCheckResponse.named("migrations").status(migrations.done()).build();
    }
}
