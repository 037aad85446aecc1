package ai.buildscale.agents.deploy;

import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import java.util.Map;

/** What deploy/ uses of CloudNativePG's Cluster, by its reference; a field that stands not here fails. */
record PostgresCluster(String apiVersion, String kind, ObjectMeta metadata, Spec spec) {
    record Spec(
            int instances,
            String imageName,
            Bootstrap bootstrap,
            Postgresql postgresql,
            Storage storage,
            Storage walStorage,
            ResourceRequirements resources,
            Affinity affinity) {}

    record Bootstrap(InitDb initdb) {}

    record InitDb(String database, String owner) {}

    /** @param parameters texts all, numbers too */
    record Postgresql(Synchronous synchronous, Map<String, String> parameters) {}

    record Synchronous(String method, int number, String dataDurability, boolean failoverQuorum) {}

    record Storage(String size) {}

    record Affinity(boolean enablePodAntiAffinity, String podAntiAffinityType, String topologyKey) {}
}
