package ai.buildscale.agents.deploy;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;

/** What compose.yaml uses of the Compose specification; what is left out is null. */
record Compose(
        String name,
        Map<String, Service> services,
        Map<String, JsonNode> volumes,
        @JsonProperty("x-server") JsonNode server) {

    record Service(
            String image,
            @JsonProperty("pull_policy") String pullPolicy,
            Build build,
            String user,
            Map<String, String> environment,
            List<String> entrypoint,
            @JsonProperty("depends_on") Map<String, Dependency> dependsOn,
            List<String> volumes,
            List<String> ports,
            List<String> tmpfs,
            @JsonProperty("read_only") boolean readOnly,
            @JsonProperty("cap_drop") List<String> capDrop,
            @JsonProperty("security_opt") List<String> securityOpt,
            int cpus,
            @JsonProperty("mem_limit") String memLimit,
            @JsonProperty("stop_grace_period") String stopGracePeriod,
            String restart,
            List<String> profiles,
            HealthCheck healthcheck) {}

    record Build(String context, String dockerfile) {}

    record Dependency(Condition condition) {}

    enum Condition {
        @JsonProperty("service_healthy")
        HEALTHY,
        @JsonProperty("service_completed_successfully")
        COMPLETED
    }

    record HealthCheck(
            List<String> test,
            String interval,
            String timeout,
            int retries,
            @JsonProperty("start_period") String startPeriod,
            @JsonProperty("start_interval") String startInterval) {}
}
