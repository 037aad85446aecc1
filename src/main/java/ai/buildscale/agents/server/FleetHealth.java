package ai.buildscale.agents.server;

import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** Not ready while it drains. */
@Readiness
@ApplicationScoped
public class FleetHealth implements HealthCheck {
    private final Drain drain;
    private final Membership self;

    FleetHealth(Drain drain, Membership self) {
        this.drain = drain;
        this.self = self;
    }

    @Override
    public HealthCheckResponse call() {
        return HealthCheckResponse.named("fleet")
                .status(!drain.isDraining())
                .withData("server_id", self.id().toString())
                .withData(
                        "state", drain.isDraining() ? "draining" : self.state().toString())
                .build();
    }
}
