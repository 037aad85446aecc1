package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HTTPGetAction;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** What comes out of each overlay fits together. {@code make deploy-check} runs it, because it needs kubectl. */
@ParameterizedClass
@ValueSource(strings = {"local", "production"})
class OverlayCheck {
    private static final String NAMESPACE = "agent-sessions";

    private final Path folder;
    private final Manifests overlay;
    private final Deployment deployment;
    private final PodSpec pod;
    private final Container server;

    OverlayCheck(String name) throws IOException {
        folder = Path.of("deploy/overlays", name);
        overlay = Manifests.rendered(folder);
        deployment = overlay.only(Deployment.class);
        pod = deployment.getSpec().getTemplate().getSpec();
        server = overlay.server();
    }

    private static boolean selects(LabelSelector selector, PodTemplateSpec template) {
        return !selector.getMatchLabels().isEmpty()
                && selector.getMatchExpressions().isEmpty()
                && template.getMetadata()
                        .getLabels()
                        .entrySet()
                        .containsAll(selector.getMatchLabels().entrySet());
    }

    private List<Probe> probes() {
        return List.of(server.getStartupProbe(), server.getLivenessProbe(), server.getReadinessProbe());
    }

    private String setting(String name) {
        return overlay.all(ConfigMap.class).stream()
                .map(map -> map.getData().get(name))
                .filter(value -> value != null)
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not set"));
    }

    @Test
    void everythingIsInOneNamespaceUnderANameOfItsOwn() {
        assertThat(overlay.items())
                .filteredOn(item -> !item.kind().equals("Namespace"))
                .allSatisfy(item -> assertThat(item.namespace()).as(item.name()).isEqualTo(NAMESPACE));
        assertThat(overlay.items())
                .extracting(item -> item.kind() + "/" + item.name())
                .doesNotHaveDuplicates();
    }

    @Test
    void theNamespaceTakesOnlyRestrictedPods() {
        Namespace namespace = overlay.only(Namespace.class);
        assertThat(namespace.getMetadata().getName()).isEqualTo(NAMESPACE);
        assertThat(namespace.getMetadata().getLabels())
                .containsEntry("pod-security.kubernetes.io/enforce", "restricted")
                .containsEntry("pod-security.kubernetes.io/warn", "restricted")
                .containsEntry("pod-security.kubernetes.io/audit", "restricted");
    }

    @Test
    void podsAreRestricted() {
        overlay.pods().forEach(template -> Restricted.check(template.getSpec()));
    }

    @Test
    void podsHaveNoTokenForTheClusterAndNoVariablesOfItsServices() {
        assertThat(overlay.pods()).allSatisfy(template -> {
            assertThat(template.getSpec().getAutomountServiceAccountToken()).isFalse();
            assertThat(template.getSpec().getEnableServiceLinks()).isFalse();
        });
    }

    @Test
    void everySelectorFindsThePodsItMeans() {
        assertThat(selects(
                        deployment.getSpec().getSelector(), deployment.getSpec().getTemplate()))
                .isTrue();
        for (StatefulSet set : overlay.all(StatefulSet.class)) {
            assertThat(selects(set.getSpec().getSelector(), set.getSpec().getTemplate()))
                    .isTrue();
        }
        assertThat(overlay.podTemplates()).isNotEmpty();
        for (Service service : overlay.all(Service.class)) {
            PodTemplateSpec template =
                    overlay.podTemplates().get(service.getMetadata().getName());
            assertThat(template.getMetadata().getLabels())
                    .containsAllEntriesOf(service.getSpec().getSelector());
        }
    }

    @Test
    void everyServiceEndsAtAPortOfItsPods() {
        for (Service service : overlay.all(Service.class)) {
            List<String> ports =
                    overlay.podTemplates().get(service.getMetadata().getName()).getSpec().getContainers().stream()
                            .flatMap(container -> container.getPorts().stream())
                            .map(ContainerPort::getName)
                            .toList();
            assertThat(service.getSpec().getPorts())
                    .isNotEmpty()
                    .allSatisfy(port ->
                            assertThat(ports).contains(port.getTargetPort().getStrVal()));
        }
    }

    @Test
    void probesAskThePortAtWhichTheServiceListens() {
        assertThat(server.getPorts()).singleElement().satisfies(port -> {
            assertThat(port.getName()).isEqualTo("http");
            assertThat(port.getContainerPort()).isEqualTo(Settings.port());
        });
        assertThat(probes()).allSatisfy(probe -> {
            assertThat(probe.getHttpGet().getPort().getStrVal()).isEqualTo("http");
            assertThat(probe.getHttpGet().getScheme()).isNull();
        });
        assertThat(server.getEnv()).extracting(EnvVar::getName).noneMatch(name -> name.startsWith("QUARKUS_HTTP"));
    }

    /** Requested of a running service by ProbesIT, which reads the base. */
    @Test
    void probesAreThoseOfTheBase() {
        assertThat(probes())
                .extracting(Probe::getHttpGet)
                .extracting(HTTPGetAction::getPath)
                .isEqualTo(ServerProbes.ofTheBase().paths());
    }

    @Test
    void readinessWaitsLongerThanTheDatabaseMayTake() {
        assertThat(Duration.ofSeconds(server.getReadinessProbe().getTimeoutSeconds()))
                .isGreaterThan(Settings.duration("database.timeout"));
    }

    @Test
    void migrationsHaveTheirTimeAndABadRolloutIsToldSooner() {
        Probe startup = server.getStartupProbe();
        assertThat(startup.getPeriodSeconds() * startup.getFailureThreshold())
                .isGreaterThanOrEqualTo(3_600)
                .isGreaterThan(deployment.getSpec().getProgressDeadlineSeconds());
    }

    @Test
    void aServerHasTheTimeToHandOverItsSessions() {
        long unready = server.getLifecycle().getPreStop().getSleep().getSeconds();
        Duration drain = Settings.duration("quarkus.shutdown.delay")
                .plus(Settings.duration("quarkus.shutdown.timeout"))
                .plus(Settings.time(setting("SERVER_DRAIN_TIMEOUT")))
                .plus(Settings.LEAVING);
        assertThat(unready).isGreaterThanOrEqualTo(5);
        assertThat(Duration.ofSeconds(pod.getTerminationGracePeriodSeconds()))
                .isGreaterThanOrEqualTo(drain.plusSeconds(unready).plusSeconds(5));
    }

    @Test
    void aRolloutTakesNoServerAwayBeforeAnotherIsReady() {
        var rolling = deployment.getSpec().getStrategy().getRollingUpdate();
        assertThat(rolling.getMaxUnavailable().getIntVal()).isZero();
        assertThat(rolling.getMaxSurge().getIntVal()).isPositive();
    }

    @Test
    void everyReferenceIsGeneratedHereOrToldOf() {
        Set<String> given = References.givenBy(overlay);
        String told = Yaml.text(folder.resolve("kustomization.yaml"));
        overlay.pods()
                .flatMap(template -> References.wantedBy(template.getSpec()).stream())
                .filter(wanted -> !given.contains(wanted) && !wanted.equals("agent-sessions-models"))
                .forEach(wanted -> assertThat(told).contains("#   " + wanted));
    }

    @Test
    void modelsMayBeLeftOut() {
        assertThat(server.getEnvFrom())
                .filteredOn(source -> source.getSecretRef() != null)
                .singleElement()
                .satisfies(source ->
                        assertThat(source.getSecretRef().getOptional()).isTrue());
    }

    @Test
    void everyVariableIsOneThatTheServiceKnows() {
        List<String> internal = server.getEnv().stream()
                .filter(variable -> variable.getValue() != null)
                .flatMap(variable -> Pattern.compile("\\$\\(([A-Z_]+)\\)")
                        .matcher(variable.getValue())
                        .results())
                .map(match -> match.group(1))
                .toList();
        List<String> names = server.getEnv().stream().map(EnvVar::getName).toList();
        assertThat(names).doesNotHaveDuplicates().contains("DATABASE_URL", "JWT_KEYS");
        assertThat(names).containsAll(internal);
        assertThat(names)
                .filteredOn(name -> !internal.contains(name) && !name.startsWith("QUARKUS_DATASOURCE_"))
                .allMatch(Settings.documentedVariables()::contains);
        Map<String, String> configured = overlay.all(ConfigMap.class).stream()
                .filter(map -> map.getMetadata().getName().startsWith("agent-sessions-")
                        && map.getData().containsKey("LOG_JSON"))
                .findFirst()
                .orElseThrow()
                .getData();
        assertThat(configured).containsKeys("JWT_ISSUER", "JWT_AUDIENCE");
        assertThat(configured.keySet()).allMatch(Settings.documentedVariables()::contains);
    }

    /** Kubernetes puts in only what was named before. */
    @Test
    void variablesStandAfterThoseTheyAreMadeOf() {
        List<String> names = server.getEnv().stream().map(EnvVar::getName).toList();
        for (EnvVar variable : server.getEnv()) {
            if (variable.getValue() != null) {
                Pattern.compile("\\$\\(([A-Z_]+)\\)")
                        .matcher(variable.getValue())
                        .results()
                        .forEach(used -> assertThat(names.indexOf(used.group(1)))
                                .as(used.group(1))
                                .isBetween(0, names.indexOf(variable.getName()) - 1));
            }
        }
    }

    @Test
    void everyContainerSaysWhatItNeeds() {
        overlay.pods()
                .flatMap(template -> Restricted.containers(template.getSpec()).stream())
                .forEach(container -> {
                    assertThat(container.getResources().getRequests())
                            .as(container.getName())
                            .containsKeys("cpu", "memory");
                    assertThat(container.getResources().getLimits())
                            .as(container.getName())
                            .containsKey("memory");
                });
        // the number of event loops, and of connections to Postgres, follows it
        assertThat(server.getResources().getLimits()).containsKey("cpu");
        assertThat(server.getResources().getLimits().get("memory"))
                .isEqualTo(server.getResources().getRequests().get("memory"));
    }

    @Test
    void everyMountHasItsVolumeAndTmpCanBeWritten() {
        overlay.pods().map(PodTemplateSpec::getSpec).forEach(spec -> {
            List<String> claimed = overlay.all(StatefulSet.class).stream()
                    .filter(set -> set.getSpec().getTemplate().getSpec().equals(spec))
                    .flatMap(set -> set.getSpec().getVolumeClaimTemplates().stream())
                    .map(claim -> claim.getMetadata().getName())
                    .toList();
            Restricted.containers(spec).stream()
                    .flatMap(container -> container.getVolumeMounts().stream())
                    .forEach(mount -> assertThat(spec.getVolumes().stream()
                                            .anyMatch(volume -> volume.getName().equals(mount.getName()))
                                    || claimed.contains(mount.getName()))
                            .as(mount.getName())
                            .isTrue());
        });
        assertThat(server.getVolumeMounts())
                .anyMatch(mount -> mount.getMountPath().equals("/tmp") && mount.getReadOnly() == null);
    }

    @Test
    void imagesHaveATag() {
        overlay.pods()
                .flatMap(template -> Restricted.containers(template.getSpec()).stream())
                .forEach(container -> assertThat(container.getImage())
                        .matches(".+:[a-z0-9.]+")
                        .doesNotEndWith(":latest"));
    }
}
