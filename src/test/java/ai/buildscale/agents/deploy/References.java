package ai.buildscale.agents.deploy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvFromSource;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Volume;
import java.util.Set;
import java.util.TreeSet;

/** What pods want of ConfigMaps and Secrets, as {@code name/key}, or {@code name} for all of one; and what there is. */
final class References {
    private final Set<String> names = new TreeSet<>();

    private References() {}

    static Set<String> wantedBy(PodSpec pod) {
        References wanted = new References();
        for (Container container : Restricted.containers(pod)) {
            container.getEnvFrom().forEach(wanted::from);
            container.getEnv().forEach(wanted::variable);
        }
        pod.getVolumes().forEach(wanted::volume);
        return wanted.names;
    }

    static Set<String> givenBy(Manifests manifests) {
        References given = new References();
        for (ConfigMap map : manifests.all(ConfigMap.class)) {
            given.add(map.getMetadata().getName(), map.getData().keySet());
        }
        for (Secret secret : manifests.all(Secret.class)) {
            given.add(secret.getMetadata().getName(), secret.getData().keySet());
        }
        return given.names;
    }

    private void add(String name, Set<String> keys) {
        names.add(name);
        keys.forEach(key -> names.add(name + "/" + key));
    }

    private void from(EnvFromSource source) {
        if (source.getConfigMapRef() != null) {
            names.add(source.getConfigMapRef().getName());
        }
        if (source.getSecretRef() != null) {
            names.add(source.getSecretRef().getName());
        }
    }

    private void variable(EnvVar variable) {
        if (variable.getValueFrom() == null) {
            return;
        }
        var secret = variable.getValueFrom().getSecretKeyRef();
        if (secret != null) {
            names.add(secret.getName() + "/" + secret.getKey());
        }
        var map = variable.getValueFrom().getConfigMapKeyRef();
        if (map != null) {
            names.add(map.getName() + "/" + map.getKey());
        }
    }

    private void volume(Volume volume) {
        if (volume.getConfigMap() != null) {
            names.add(volume.getConfigMap().getName());
            volume.getConfigMap()
                    .getItems()
                    .forEach(item -> names.add(volume.getConfigMap().getName() + "/" + item.getKey()));
        }
        if (volume.getSecret() != null) {
            names.add(volume.getSecret().getSecretName());
            volume.getSecret()
                    .getItems()
                    .forEach(item -> names.add(volume.getSecret().getSecretName() + "/" + item.getKey()));
        }
    }
}
