package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.autoscaling.v2.MetricSpec;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What production has beside the servers fits them. {@code make deploy-check} runs it, because it needs kubectl. */
class ProductionCheck {
    private static final Path FOLDER = Path.of("deploy/overlays/production");
    /** Connections of a server beside DATABASE_POOL: for edits, wake-ups and presence, and while it migrates. */
    private static final int OTHER_CONNECTIONS = 5 + 4 + 2;
    /** What Postgres keeps for superusers, and the operator's own. */
    private static final int RESERVED = 20;

    private static Manifests overlay;
    private static Deployment deployment;
    private static Map<String, String> serverLabels;
    private static Container server;
    private static HorizontalPodAutoscaler autoscaler;
    private static PostgresCluster postgres;

    @BeforeAll
    static void render() throws IOException {
        overlay = Manifests.rendered(FOLDER);
        deployment = overlay.only(Deployment.class);
        serverLabels = deployment.getSpec().getTemplate().getMetadata().getLabels();
        server = overlay.server();
        autoscaler = overlay.only(HorizontalPodAutoscaler.class);
        postgres = overlay.only(PostgresCluster.class);
    }

    private static boolean selectsServers(LabelSelector selector) {
        return !selector.getMatchLabels().isEmpty()
                && selector.getMatchExpressions().isEmpty()
                && serverLabels.entrySet().containsAll(selector.getMatchLabels().entrySet());
    }

    @Test
    void threeServersOrMoreWhoseNumberIsTheAutoscalersAlone() {
        assertThat(autoscaler.getSpec().getMinReplicas()).isGreaterThanOrEqualTo(3);
        assertThat(autoscaler.getSpec().getMaxReplicas())
                .isGreaterThan(autoscaler.getSpec().getMinReplicas());
        assertThat(autoscaler.getSpec().getScaleTargetRef().getKind()).isEqualTo(deployment.getKind());
        assertThat(autoscaler.getSpec().getScaleTargetRef().getApiVersion()).isEqualTo(deployment.getApiVersion());
        assertThat(autoscaler.getSpec().getScaleTargetRef().getName())
                .isEqualTo(deployment.getMetadata().getName());
        assertThat(deployment.getSpec().getReplicas()).isNull();
    }

    /** That the service exports them, ProbesIT sees. */
    @Test
    void thePrometheusAdapterServesWhatTheAutoscalerReads() {
        JsonNode rule = Yaml.documents(Yaml.text(FOLDER.resolve("prometheus-adapter.yaml")))
                .getFirst()
                .at("/rules/custom/0");
        assertThat(autoscaler.getSpec().getMetrics())
                .extracting(MetricSpec::getPods)
                .filteredOn(pods -> pods != null)
                .isNotEmpty()
                .allSatisfy(pods -> {
                    assertThat(rule.path("seriesQuery").asText())
                            .containsPattern(
                                    "[(|]" + Pattern.quote(pods.getMetric().getName()) + "[|)]");
                    assertThat(pods.getTarget().getType()).isEqualTo("AverageValue");
                });
    }

    @Test
    void autoscalingByCpuAsksForLessThanTheLimit() {
        var cpu = autoscaler.getSpec().getMetrics().stream()
                .filter(metric -> metric.getResource() != null)
                .findFirst()
                .orElseThrow()
                .getResource();
        double request = cores(server.getResources().getRequests().get("cpu"));
        double limit = cores(server.getResources().getLimits().get("cpu"));
        assertThat(cpu.getTarget().getAverageUtilization() * request / 100).isLessThan(0.8 * limit);
    }

    private static double cores(Quantity quantity) {
        return quantity.getNumericalAmount().doubleValue();
    }

    @Test
    void theBudgetLetsNodesBeDrainedAndKeepsTwoServers() {
        PodDisruptionBudget budget = overlay.only(PodDisruptionBudget.class);
        assertThat(selectsServers(budget.getSpec().getSelector())).isTrue();
        assertThat(budget.getSpec().getMinAvailable()).isNull();
        assertThat(budget.getSpec().getMaxUnavailable().getIntVal())
                .isBetween(1, autoscaler.getSpec().getMinReplicas() - 2);
    }

    @Test
    void serversAreSpreadOverNodesAndZones() {
        var constraints = deployment.getSpec().getTemplate().getSpec().getTopologySpreadConstraints();
        assertThat(constraints)
                .extracting(constraint -> constraint.getTopologyKey())
                .containsExactlyInAnyOrder("kubernetes.io/hostname", "topology.kubernetes.io/zone");
        assertThat(constraints)
                .allMatch(constraint -> selectsServers(constraint.getLabelSelector()))
                .allMatch(constraint -> constraint.getMaxSkew() == 1);
    }

    @Test
    void postgresHasConnectionsForAllServersAndOneMore() {
        int pool = overlay.all(ConfigMap.class).stream()
                .map(map -> map.getData().get("DATABASE_POOL"))
                .filter(value -> value != null)
                .mapToInt(Integer::parseInt)
                .findFirst()
                .orElseThrow();
        // two event loops a core, two connections each at least
        assertThat(pool).isGreaterThanOrEqualTo((int)
                (4 * cores(server.getResources().getLimits().get("cpu"))));
        int servers = autoscaler.getSpec().getMaxReplicas()
                + deployment
                        .getSpec()
                        .getStrategy()
                        .getRollingUpdate()
                        .getMaxSurge()
                        .getIntVal();
        assertThat(Integer.parseInt(postgres.spec().postgresql().parameters().get("max_connections")))
                .isGreaterThanOrEqualTo(servers * (pool + OTHER_CONNECTIONS) + RESERVED);
    }

    @Test
    void aFailoverLosesNothingThatWasAnswered() {
        assertThat(postgres.spec().instances()).isGreaterThanOrEqualTo(3);
        assertThat(postgres.spec().postgresql().synchronous().number())
                .isBetween(1, postgres.spec().instances() - 2);
        assertThat(postgres.spec().postgresql().synchronous().method()).isIn("any", "first");
        assertThat(postgres.spec().postgresql().synchronous().dataDurability()).isEqualTo("required");
    }

    @Test
    void serversUseTheDatabaseOfTheCluster() {
        String name = postgres.metadata().getName();
        assertThat(References.wantedBy(deployment.getSpec().getTemplate().getSpec()))
                .contains(name + "-app/uri", name + "-ca/ca.crt")
                .noneMatch(wanted -> wanted.startsWith("agent-sessions-database"));
        assertThat(server.getEnv())
                .filteredOn(variable -> variable.getName().equals("DATABASE_URL"))
                .singleElement()
                .satisfies(url -> {
                    assertThat(url.getValue()).isEqualTo("$(DATABASE_URI)?sslmode=verify-full");
                    assertThat(url.getValueFrom()).isNull();
                });
        String mount = server.getVolumeMounts().stream()
                .filter(one -> one.getName().equals("postgres-ca"))
                .findFirst()
                .orElseThrow()
                .getMountPath();
        assertThat(server.getEnv())
                .filteredOn(variable -> variable.getName().endsWith("_CERTS")
                        || variable.getName().endsWith("SSLROOTCERT"))
                .hasSize(2)
                .allMatch(variable -> variable.getValue().equals(mount + "/ca.crt"));
    }

    @Test
    void theNetworkIsOpenOnlyWhereItMustBe() {
        Map<Boolean, List<NetworkPolicy>> policies = overlay.all(NetworkPolicy.class).stream()
                .collect(java.util.stream.Collectors.partitioningBy(
                        policy -> selectsServers(policy.getSpec().getPodSelector())));
        Map<String, String> database =
                Map.of("cnpg.io/cluster", postgres.metadata().getName());

        assertThat(policies.get(true)).singleElement().satisfies(policy -> {
            assertThat(policy.getSpec().getPolicyTypes()).containsExactlyInAnyOrder("Ingress", "Egress");
            assertThat(policy.getSpec().getIngress())
                    .allMatch(rule -> !rule.getFrom().isEmpty())
                    .flatExtracting(rule -> rule.getPorts())
                    .extracting(NetworkPolicyPort::getPort)
                    .extracting(port -> port.getStrVal())
                    .containsOnly("http");
            assertThat(policy.getSpec().getEgress())
                    .allMatch(
                            rule -> !rule.getTo().isEmpty() && !rule.getPorts().isEmpty());
            assertThat(policy.getSpec().getEgress())
                    .anySatisfy(rule -> {
                        assertThat(rule.getPorts().getFirst().getPort().getIntVal())
                                .isEqualTo(5432);
                        assertThat(rule.getTo().getFirst().getPodSelector().getMatchLabels())
                                .isEqualTo(database);
                    })
                    .anySatisfy(rule -> assertThat(
                                    rule.getPorts().getFirst().getPort().getIntVal())
                            .isEqualTo(53));
        });
        assertThat(policies.get(false)).singleElement().satisfies(policy -> {
            assertThat(policy.getSpec().getPodSelector().getMatchLabels()).isEqualTo(database);
            assertThat(policy.getSpec().getPolicyTypes()).containsExactly("Ingress");
            assertThat(policy.getSpec().getIngress())
                    .allMatch(rule ->
                            !rule.getFrom().isEmpty() && !rule.getPorts().isEmpty())
                    .anySatisfy(rule -> assertThat(
                                    selectsServers(rule.getFrom().getFirst().getPodSelector()))
                            .isTrue());
        });
    }

    @Test
    void prometheusFindsTheServersAtTheirMetrics() {
        ServiceMonitor monitor = overlay.only(ServiceMonitor.class);
        Service service = overlay.only(Service.class);
        assertThat(service.getMetadata().getLabels())
                .containsAllEntriesOf(monitor.getSpec().getSelector().getMatchLabels());
        assertThat(monitor.getSpec().getSelector().getMatchLabels()).isNotEmpty();
        assertThat(monitor.getSpec().getEndpoints()).singleElement().satisfies(endpoint -> {
            assertThat(service.getSpec().getPorts())
                    .extracting(port -> port.getName())
                    .contains(endpoint.getPort());
            assertThat(endpoint.getPath()).isEqualTo(Settings.metricsPath());
        });
    }

    @Test
    void alertsAndTheDashboardComeAlong() {
        assertThat(overlay.all(PrometheusRule.class))
                .isNotEmpty()
                .allSatisfy(rule -> assertThat(rule.getSpec().getGroups()).isNotEmpty());
        assertThat(overlay.all(ConfigMap.class))
                .anySatisfy(map -> assertThat(map.getMetadata().getLabels()).containsEntry("grafana_dashboard", "1"));
    }

    @Test
    void onlyTheApiIsReachedFromOutside() {
        Ingress ingress = overlay.only(Ingress.class);
        Service service = overlay.only(Service.class);
        assertThat(ingress.getSpec().getDefaultBackend()).isNull();
        assertThat(ingress.getSpec().getRules()).allSatisfy(rule -> {
            assertThat(ingress.getSpec().getTls())
                    .anyMatch(tls -> tls.getHosts().contains(rule.getHost()));
            assertThat(rule.getHttp().getPaths()).singleElement().satisfies(path -> {
                assertThat(path.getPath()).isEqualTo("/api");
                assertThat(path.getBackend().getService().getName())
                        .isEqualTo(service.getMetadata().getName());
                assertThat(service.getSpec().getPorts())
                        .extracting(port -> port.getName())
                        .contains(path.getBackend().getService().getPort().getName());
            });
        });
    }

    @Test
    void noSecretStandsInTheFiles() {
        assertThat(overlay.items()).noneMatch(item -> item.kind().equals("Secret"));
        assertThat(overlay.pods())
                .extracting(PodTemplateSpec::getSpec)
                .flatExtracting(Restricted::containers)
                .flatExtracting(Container::getEnv)
                .filteredOn(variable -> variable.getValue() != null)
                .noneMatch(variable -> variable.getValue().matches(".*://[^/]+:[^/]+@.*"));
    }
}
