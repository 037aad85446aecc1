package ai.buildscale.agents.platform.jobs;

import io.smallrye.health.api.Wellness;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;

/**
 * Reports the sweeps of the fleet as well while none is overdue by more than an allowance. Not part of readiness: a
 * server that is behind must go on serving.
 */
@Wellness
@ApplicationScoped
public class SweepHealth implements HealthCheck {
    private final Sweeps sweeps;
    private final Duration behind;

    SweepHealth(Sweeps sweeps, @ConfigProperty(name = "sweeps.behind-after") Duration behind) {
        this.sweeps = sweeps;
        this.behind = behind;
    }

    @Override
    public HealthCheckResponse call() {
        HealthCheckResponseBuilder response =
                HealthCheckResponse.named("sweeps").up();
        sweeps.ages().forEach((name, age) -> {
            response.withData(name + "_age_ms", age.sinceFinished().toMillis());
            if (age.isBehind(behind)) {
                response.down();
            }
        });
        return response.build();
    }
}
