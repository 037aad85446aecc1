package ai.buildscale.agents.deploy;

import java.util.List;
import java.util.Map;

/** What deploy/ uses of kustomization.yaml; what is left out is null. */
record Kustomization(
        String apiVersion,
        String kind,
        String namespace,
        List<Labels> labels,
        List<String> resources,
        List<String> components,
        List<Image> images,
        List<Replicas> replicas,
        List<Generator> configMapGenerator,
        List<Generator> secretGenerator,
        List<Patch> patches) {

    record Labels(Map<String, String> pairs) {}

    record Image(String name, String newName, String newTag) {}

    record Replicas(String name, int count) {}

    record Generator(String name, String behavior, List<String> literals, List<String> files, Options options) {}

    record Options(boolean disableNameSuffixHash, Map<String, String> labels) {}

    record Patch(String path) {}
}
