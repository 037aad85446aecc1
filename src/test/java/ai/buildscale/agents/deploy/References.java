package ai.buildscale.agents.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Secret;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** What pods want of ConfigMaps and Secrets, as {@code name/key}, or {@code name} for all of one; and what there is. */
final class References {
    private References() {}

    static Set<String> wantedBy(PodSpec spec) {
        Set<String> wanted = new TreeSet<>();
        JsonNode pod = Yaml.tree(spec);
        all(pod, "configMapRef", "secretRef")
                .forEach(source -> wanted.add(source.path("name").asText()));
        all(pod, "configMapKeyRef", "secretKeyRef")
                .forEach(source -> wanted.add(
                        source.path("name").asText() + "/" + source.path("key").asText()));
        all(pod.path("volumes"), "configMap", "secret").forEach(volume -> {
            String name = volume.path(volume.has("secretName") ? "secretName" : "name")
                    .asText();
            wanted.add(name);
            volume.path("items")
                    .forEach(item -> wanted.add(name + "/" + item.path("key").asText()));
        });
        return wanted;
    }

    private static Stream<JsonNode> all(JsonNode tree, String... names) {
        return Stream.of(names).flatMap(name -> tree.findValues(name).stream());
    }

    static Set<String> givenBy(Manifests manifests) {
        Set<String> given = new TreeSet<>();
        manifests
                .all(ConfigMap.class)
                .forEach(map ->
                        add(given, map.getMetadata().getName(), map.getData().keySet()));
        manifests
                .all(Secret.class)
                .forEach(secret -> add(
                        given, secret.getMetadata().getName(), secret.getData().keySet()));
        return given;
    }

    private static void add(Set<String> given, String name, Set<String> keys) {
        given.add(name);
        keys.forEach(key -> given.add(name + "/" + key));
    }
}
