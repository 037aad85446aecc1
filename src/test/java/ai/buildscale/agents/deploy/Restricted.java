package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.Volume;
import java.util.List;
import java.util.stream.Stream;

/** The pod security standard "restricted" (Kubernetes 1.30), and a root file system that nobody can write. */
final class Restricted {
    private Restricted() {}

    static List<Container> containers(PodSpec pod) {
        return Stream.concat(pod.getInitContainers().stream(), pod.getContainers().stream())
                .toList();
    }

    static void check(PodSpec pod) {
        assertThat(pod.getHostNetwork()).isNull();
        assertThat(pod.getHostPID()).isNull();
        assertThat(pod.getHostIPC()).isNull();
        assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
        assertThat(pod.getSecurityContext().getRunAsUser()).isPositive();
        assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
        pod.getVolumes().forEach(Restricted::check);
        containers(pod).forEach(Restricted::check);
    }

    private static void check(Volume volume) {
        Stream<Object> allowed = Stream.of(
                volume.getConfigMap(), volume.getSecret(), volume.getEmptyDir(), volume.getPersistentVolumeClaim());
        assertThat(allowed.filter(source -> source != null))
                .as(volume.getName())
                .hasSize(1);
    }

    private static void check(Container container) {
        SecurityContext security = container.getSecurityContext();
        assertThat(security).as(container.getName()).isNotNull();
        assertThat(security.getAllowPrivilegeEscalation()).isFalse();
        assertThat(security.getReadOnlyRootFilesystem()).isTrue();
        assertThat(security.getPrivileged()).isNull();
        assertThat(security.getRunAsUser()).isNull();
        assertThat(security.getRunAsNonRoot()).isNull();
        assertThat(security.getSeccompProfile()).isNull();
        assertThat(security.getProcMount()).isNull();
        assertThat(security.getCapabilities().getDrop()).containsExactly("ALL");
        assertThat(security.getCapabilities().getAdd()).isEmpty();
        assertThat(container.getPorts())
                .allSatisfy(port -> assertThat(port.getHostPort()).isNull());
    }
}
