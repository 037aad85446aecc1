package ai.buildscale.agents.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Objects for a cluster, each read strictly as what its kind says. */
final class Manifests {
    private static final Map<String, Class<?>> KINDS = Map.ofEntries(
            Map.entry("v1/Namespace", Namespace.class),
            Map.entry("v1/ServiceAccount", ServiceAccount.class),
            Map.entry("v1/ConfigMap", ConfigMap.class),
            Map.entry("v1/Secret", Secret.class),
            Map.entry("v1/Service", Service.class),
            Map.entry("v1/PersistentVolumeClaim", PersistentVolumeClaim.class),
            Map.entry("apps/v1/Deployment", Deployment.class),
            Map.entry("apps/v1/StatefulSet", StatefulSet.class),
            Map.entry("autoscaling/v2/HorizontalPodAutoscaler", HorizontalPodAutoscaler.class),
            Map.entry("policy/v1/PodDisruptionBudget", PodDisruptionBudget.class),
            Map.entry("networking.k8s.io/v1/NetworkPolicy", NetworkPolicy.class),
            Map.entry("networking.k8s.io/v1/Ingress", Ingress.class),
            Map.entry("monitoring.coreos.com/v1/ServiceMonitor", ServiceMonitor.class),
            Map.entry("monitoring.coreos.com/v1/PrometheusRule", PrometheusRule.class),
            Map.entry("postgresql.cnpg.io/v1/Cluster", PostgresCluster.class));

    private static final Map<Path, Manifests> RENDERED = new HashMap<>();

    private final List<Item> items;

    private Manifests(List<Item> items) {
        this.items = items;
    }

    /** An object: as it is written, and as the API understands it. */
    record Item(JsonNode json, Object value) {
        String kind() {
            return json.path("kind").asText();
        }

        String name() {
            return json.at("/metadata/name").asText();
        }

        String namespace() {
            return json.at("/metadata/namespace").asText();
        }
    }

    static Manifests of(String yaml) {
        return new Manifests(Yaml.documents(yaml).stream()
                .map(json -> new Item(json, Yaml.as(type(json), json)))
                .toList());
    }

    static Manifests in(Path file) {
        try {
            return of(Yaml.text(file));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /** What {@code kubectl kustomize} makes of a folder; rendered once. */
    static synchronized Manifests rendered(Path folder) throws IOException {
        if (!RENDERED.containsKey(folder)) {
            RENDERED.put(folder, render(folder));
        }
        return RENDERED.get(folder);
    }

    private static Manifests render(Path folder) throws IOException {
        Process kubectl = new ProcessBuilder("kubectl", "kustomize", folder.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String yaml = new String(kubectl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (kubectl.onExit().join().exitValue() != 0) {
            throw new IOException(folder + " cannot be rendered");
        }
        return of(yaml);
    }

    private static Class<?> type(JsonNode json) {
        String kind = json.path("apiVersion").asText() + "/" + json.path("kind").asText();
        Class<?> type = KINDS.get(kind);
        if (type == null) {
            throw new IllegalArgumentException("no kind that is known here: " + kind);
        }
        return type;
    }

    List<Item> items() {
        return items;
    }

    <T> List<T> all(Class<T> type) {
        return items.stream()
                .map(Item::value)
                .filter(type::isInstance)
                .map(type::cast)
                .toList();
    }

    <T> T only(Class<T> type) {
        List<T> all = all(type);
        if (all.size() != 1) {
            throw new AssertionError(all.size() + " of " + type.getSimpleName());
        }
        return all.getFirst();
    }

    /** The container of the service. */
    Container server() {
        PodTemplateSpec pod = only(Deployment.class).getSpec().getTemplate();
        return pod.getSpec().getContainers().getFirst();
    }

    /** What pods are made from, by the name of the Deployment or StatefulSet. */
    Map<String, PodTemplateSpec> podTemplates() {
        Map<String, PodTemplateSpec> templates = new LinkedHashMap<>();
        all(Deployment.class)
                .forEach(one -> templates.put(name(one), one.getSpec().getTemplate()));
        all(StatefulSet.class)
                .forEach(one -> templates.put(name(one), one.getSpec().getTemplate()));
        return templates;
    }

    private static String name(HasMetadata one) {
        return one.getMetadata().getName();
    }

    Stream<PodTemplateSpec> pods() {
        return podTemplates().values().stream();
    }
}
