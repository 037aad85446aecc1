package ai.buildscale.agents.deploy;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.EnvVarSource;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A pod of the service as the base and the local overlay have it together: what it is told, what it may use and may take. */
final class LocalPod {
    static final String NAME = "agent-sessions-0";
    private static final Path BASE = Path.of("deploy/base");
    private static final Path OVERLAY = Path.of("deploy/overlays/local");

    private final PodSpec pod = spec(BASE);
    private final Container server = pod.getContainers().getFirst();
    private final Container patch = spec(OVERLAY).getContainers().getFirst();

    private static PodSpec spec(Path folder) {
        return Manifests.in(folder.resolve("deployment.yaml"))
                .only(Deployment.class)
                .getSpec()
                .getTemplate()
                .getSpec();
    }

    PodSpec spec() {
        return pod;
    }

    Container server() {
        return server;
    }

    /** The bytes it may have of what the overlay limits, as {@code memory}; cores for {@code cpu}. */
    long limit(String resource) {
        return bytes(patch.getResources().getLimits().get(resource));
    }

    private static long bytes(Quantity quantity) {
        return Quantity.getAmountInBytes(quantity).longValueExact();
    }

    /** How large the folder may become that it may write, /tmp, which must be the only one. */
    long tmp() {
        List<VolumeMount> writable = mounts().filter(mount -> !Boolean.TRUE.equals(mount.getReadOnly()))
                .toList();
        if (writable.size() != 1 || !writable.getFirst().getMountPath().equals("/tmp")) {
            throw new AssertionError("it may write more than /tmp: " + writable);
        }
        return pod.getVolumes().stream()
                .filter(volume -> volume.getName().equals(writable.getFirst().getName()))
                .mapToLong(volume -> bytes(volume.getEmptyDir().getSizeLimit()))
                .findFirst()
                .orElseThrow();
    }

    /** Where something is mounted that it may only read. */
    List<String> readOnlyMounts() {
        return mounts().filter(mount -> Boolean.TRUE.equals(mount.getReadOnly()))
                .map(VolumeMount::getMountPath)
                .toList();
    }

    private Stream<VolumeMount> mounts() {
        return Stream.concat(server.getVolumeMounts().stream(), patch.getVolumeMounts().stream());
    }

    /**
     * The variables of its environment.
     *
     * @param secrets by {@code name/key}, those that are not as the overlay makes them
     */
    Map<String, String> environment(Map<String, String> secrets) {
        Kustomization base = Yaml.read(Kustomization.class, BASE.resolve("kustomization.yaml"));
        Kustomization overlay = Yaml.read(Kustomization.class, OVERLAY.resolve("kustomization.yaml"));
        Map<String, String> known = new HashMap<>();
        Stream.of(base.configMapGenerator(), overlay.configMapGenerator(), overlay.secretGenerator())
                .flatMap(List::stream)
                .forEach(map -> map.literals().forEach(line -> {
                    String[] entry = line.split("=", 2);
                    known.put(map.name() + "/" + entry[0], entry[1]);
                }));
        known.putAll(secrets);
        Map<String, String> environment = new LinkedHashMap<>();
        server.getEnvFrom().stream()
                .filter(source -> source.getConfigMapRef() != null)
                .map(source -> source.getConfigMapRef().getName() + "/")
                .forEach(prefix -> known.forEach((name, value) -> {
                    if (name.startsWith(prefix)) {
                        environment.put(name.substring(prefix.length()), value);
                    }
                }));
        for (EnvVar variable :
                Stream.concat(server.getEnv().stream(), patch.getEnv().stream()).toList()) {
            environment.put(variable.getName(), value(variable, known, environment));
        }
        return environment;
    }

    private static String value(EnvVar variable, Map<String, String> known, Map<String, String> before) {
        EnvVarSource source = variable.getValueFrom();
        if (source == null) {
            String value = variable.getValue();
            for (Map.Entry<String, String> one : before.entrySet()) {
                value = value.replace("$(" + one.getKey() + ")", one.getValue());
            }
            return value;
        }
        String value = source.getFieldRef() != null
                ? Map.of("metadata.name", NAME, "status.podIP", "127.0.0.1")
                        .get(source.getFieldRef().getFieldPath())
                : known.get(source.getSecretKeyRef().getName() + "/"
                        + source.getSecretKeyRef().getKey());
        if (value == null) {
            throw new AssertionError("where does " + variable.getName() + " come from?");
        }
        return value;
    }
}
