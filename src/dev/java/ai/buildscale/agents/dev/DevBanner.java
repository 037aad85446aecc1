package ai.buildscale.agents.dev;

import ai.buildscale.agents.platform.postgres.Migrations;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Says how to use what has just started. */
@ApplicationScoped
class DevBanner {
    private final int port;
    private final String postgres;

    DevBanner(
            @ConfigProperty(name = "quarkus.http.port") int port,
            @ConfigProperty(name = "dev.postgres") String postgres) {
        this.port = port;
        this.postgres = postgres;
    }

    @SuppressWarnings("SystemOut")
    void started(@Observes Migrations.Applied event) {
        System.out.printf("""

                agent-sessions is running at http://localhost:%1$d  (API: /q/openapi, to try: /q/swagger-ui, health: /q/health)
                Postgres: %2$s

                A token (for a new user, valid for an hour) and a first workspace; paste both lines:

                  TOKEN=$(curl -s -X POST http://localhost:%1$d/api/v1/dev/tokens -H 'Content-Type: application/json' -d '{}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
                  curl -s -X POST http://localhost:%1$d/api/v1/workspaces -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"name":"First"}'

                """, port, postgres);
    }
}
