package ai.buildscale.agents.deploy;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Probe;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Which paths the orchestrator asks of a server. */
record ServerProbes(String startup, String liveness, String readiness) {
    static ServerProbes ofTheBase() {
        Container server = Manifests.in(Path.of("deploy/base/deployment.yaml")).server();
        List<String> paths = Stream.of(server.getStartupProbe(), server.getLivenessProbe(), server.getReadinessProbe())
                .map(Probe::getHttpGet)
                .map(get -> get.getPath())
                .toList();
        return new ServerProbes(paths.get(0), paths.get(1), paths.get(2));
    }

    List<String> paths() {
        return List.of(startup, liveness, readiness);
    }
}
