package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.autoscaling.v2.MetricSpec;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** What the orchestrator, Prometheus and the autoscaler ask of a server, it answers. */
class ProbesIT {
    private static final Path PRODUCTION = Path.of("deploy/overlays/production");
    private static final ServerProbes PROBES = ServerProbes.ofTheBase();

    private static int healthCheck(Service service) throws IOException, InterruptedException {
        List<String> test = Yaml.read(Compose.class, Path.of("deploy/compose/compose.yaml"))
                .services()
                .get("server-1")
                .healthcheck()
                .test();
        assertThat(test.getFirst()).isEqualTo("CMD");
        List<String> command = test.subList(1, test.size()).stream()
                .map(word -> word.replace("$$", "$").replace("/" + Settings.port() + " ", "/" + service.port() + " "))
                .toList();
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }

    @Test
    void aServerThatServesPassesAll() throws IOException, InterruptedException {
        assertThat(PROBES.paths())
                .allSatisfy(path ->
                        assertThat(Service.shared().statusOf(path)).as(path).isEqualTo(200));
        assertThat(healthCheck(Service.shared())).isZero();
    }

    @Test
    void aServerWithoutADatabaseIsLeftToWaitForIt() throws IOException, InterruptedException {
        try (Service service =
                Service.launch("postgresql://nobody:none@127.0.0.1:" + Service.freePort() + "/none", Map.of())) {
            Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> service.statusOf(PROBES.liveness()) == 200);

            assertThat(service.statusOf(PROBES.startup())).isEqualTo(503);
            assertThat(service.statusOf(PROBES.readiness())).isEqualTo(503);
            assertThat(healthCheck(service)).isNotZero();
        }
    }

    @Test
    void prometheusFindsWhatTheAutoscalerReads() {
        String path = Manifests.in(PRODUCTION.resolve("service-monitor.yaml"))
                .only(ServiceMonitor.class)
                .getSpec()
                .getEndpoints()
                .getFirst()
                .getPath();
        Api.Reply reply = Api.withToken(Service.shared(), null, null).get(path);
        assertThat(reply.status()).isEqualTo(200);
        assertThat(Manifests.in(PRODUCTION.resolve("autoscaler.yaml"))
                        .only(HorizontalPodAutoscaler.class)
                        .getSpec()
                        .getMetrics())
                .extracting(MetricSpec::getPods)
                .filteredOn(pods -> pods != null)
                .hasSize(3)
                .allSatisfy(pods -> assertThat(reply.text().lines())
                        .anyMatch(line -> line.startsWith(pods.getMetric().getName() + " ")
                                || line.startsWith(pods.getMetric().getName() + "{")));
    }
}
