package ai.buildscale.agents.server;

import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** Ready once this server has seen the fleet, so that it can place sessions; not while it drains. */
@Readiness
@ApplicationScoped
public class FleetHealth implements HealthCheck {
    private final Drain drain;
    private final FleetMonitor fleet;
    private final Membership self;

    FleetHealth(Drain drain, FleetMonitor fleet, Membership self) {
        this.fleet = fleet;
        this.drain = drain;
        this.self = self;
    }

    @Override
    public HealthCheckResponse call() {
        return HealthCheckResponse.named("fleet")
                .status(fleet.hasLooked() && !drain.isDraining())
                .withData("server_id", self.id().toString())
                .withData("owns", self.owns())
                .withData("state", drain.isDraining() ? "draining" : self.state())
                .build();
    }
}
