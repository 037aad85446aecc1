package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each file of deploy/ is what its kind allows, and none lies about unused. What they make together needs kubectl. */
class DeployTest {
    private static final Path DEPLOY = Path.of("deploy");
    /** What others than Kustomize read. */
    private static final Set<Path> OTHERS = Set.of(
            DEPLOY.resolve("compose/compose.yaml"), DEPLOY.resolve("overlays/production/prometheus-adapter.yaml"));

    private static List<Path> files(String end) throws IOException {
        try (Stream<Path> files = Files.walk(DEPLOY)) {
            return files.filter(file -> file.toString().endsWith(end)).sorted().toList();
        }
    }

    static List<Path> kustomizations() throws IOException {
        return files("/kustomization.yaml");
    }

    static List<Path> manifests() throws IOException {
        return files(".yaml").stream()
                .filter(file -> !file.endsWith("kustomization.yaml") && !OTHERS.contains(file))
                .toList();
    }

    private static Set<Path> used(Path file) {
        JsonNode kustomization = Yaml.tree(Yaml.read(Kustomization.class, file));
        return Stream.of("resources", "components", "files", "path")
                .flatMap(name -> kustomization.findValues(name).stream())
                .flatMap(value -> value.isArray() ? value.valueStream() : Stream.of(value))
                .filter(JsonNode::isTextual)
                .map(name -> file.resolveSibling(name.asText()).normalize())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @ParameterizedTest
    @MethodSource("manifests")
    void everyFieldIsOneOfTheApi(Path file) {
        assertThat(Manifests.in(file).items()).isNotEmpty();
    }

    @ParameterizedTest
    @MethodSource("kustomizations")
    void whatAKustomizationNamesIsThere(Path file) {
        assertThat(used(file)).isNotEmpty().allSatisfy(one -> assertThat(one).exists());
    }

    @Test
    void noFileLiesAboutUnused() throws IOException {
        Set<Path> used = new TreeSet<>();
        for (Path file : kustomizations()) {
            used.addAll(used(file));
        }
        assertThat(used).containsAll(manifests());
    }

    /** The cluster would take the first and drop the field in silence; a number where text must be it refuses. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{apiVersion: v1, kind: Service, spec: {prots: []}}",
                "{apiVersion: apps/v1, kind: Deployment, replicas: 3}",
                "{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{livenessprobe:"
                        + " {}}]}}}}",
                "{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{env: [{name: A, value:"
                        + " 1}]}]}}}}",
                "{apiVersion: v1, kind: ConfigMap, data: {LOG_JSON: true}}",
                "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, spec: {endpoints: [{ports: http}]}}",
                "{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, spec: {groups: [{rules: [{expression:"
                        + " up}]}]}}",
                "{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, spec: {replicas: 3}}",
                "{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, spec: {postgresql: {parameters: {max_connections:"
                        + " 10}}}}",
                "{apiVersion: v1, kind: Deployment}",
                "{kind: Service, kind: Service, apiVersion: v1}"
            })
    void whatTheApiDoesNotHaveFails(String yaml) {
        assertThatIllegalArgumentException().isThrownBy(() -> {
            try {
                Manifests.of(yaml);
            } catch (org.yaml.snakeyaml.error.YAMLException e) {
                throw new IllegalArgumentException(e);
            }
        });
    }

    @Test
    void whatTheApiHasIsTaken() {
        assertThat(Manifests.of("{apiVersion: v1, kind: Service, spec: {ports: [{port: 80, targetPort: http}]}}")
                        .items())
                .hasSize(1);
    }
}
