package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.deploy.Dockerfile.Stage;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Both images, as far as one can see without building them. */
class DockerfileTest {
    /** What a build makes, and a fresh checkout does not have. */
    private static final String BUILT = "target/quarkus-app";

    /** The last line of .dockerignore that a path matches decides. */
    private static boolean sent(String path) {
        boolean sent = true;
        for (String line : Yaml.text(Path.of(".dockerignore")).lines().toList()) {
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            boolean in = line.startsWith("!");
            String pattern = in ? line.substring(1) : line;
            if (pattern.equals("*") || path.equals(pattern) || path.startsWith(pattern + "/")) {
                sent = in;
            }
        }
        return sent;
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void runsAsANumberedUserThatIsNotRoot(String name) {
        Stage run = Dockerfile.of(name).run();
        assertThat(run.last("USER")).matches("[1-9][0-9]*");
        assertThat(run.last("EXPOSE")).isEqualTo(Integer.toString(Settings.port()));
        // nothing is made or changed in the image of what runs but by copies
        assertThat(run.all("RUN")).isEmpty();
        assertThat(run.all("COPY")).isNotEmpty().allMatch(copy -> copy.contains("--chown=0:0 "));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void startsWithoutAShellSoThatSignalsArrive(String name) {
        Stage run = Dockerfile.of(name).run();
        assertThat(run.entrypoint()).isNotEmpty();
        assertThat(run.all("CMD")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void takesOnlyWhatIsThereAndSent(String name) {
        List<Stage> stages = Dockerfile.of(name).stages();
        assertThat(stages.stream().flatMap(stage -> stage.all("COPY").stream()))
                .filteredOn(copy -> !copy.contains("--from="))
                .isNotEmpty()
                .flatExtracting(copy -> Dockerfile.arguments(copy)
                        .subList(0, Dockerfile.arguments(copy).size() - 1))
                .map(source -> source.replaceAll("/$", ""))
                .allSatisfy(path -> assertThat(sent(path)).as(path).isTrue())
                .filteredOn(path -> !path.equals(BUILT))
                .allSatisfy(path -> assertThat(Path.of(path)).exists());
        assertThat(stages).allMatch(stage -> stage.all("ADD").isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {".git/config", "data/dev-key.pem", "target/classes/x", "src/dev/java/x", "README.md"})
    void nothingElseIsSent(String path) {
        assertThat(sent(path)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void imagesHaveATag(String name) {
        List<Stage> stages = Dockerfile.of(name).stages();
        assertThat(stages.subList(1, stages.size())).isNotEmpty().allSatisfy(stage -> {
            String image = Dockerfile.arguments(stage.last("FROM")).getFirst();
            assertThat(image.equals("${JDK_IMAGE}") ? stages.getFirst().last("ARG") : image)
                    .matches("(JDK_IMAGE=)?[a-z0-9.]+/[a-z0-9/-]+:[a-z0-9.-]+");
        });
    }

    @Test
    void nativeIsBuiltFromTheSourcesAndOnlyTheExecutableGoesOn() {
        List<Stage> stages = Dockerfile.of("Dockerfile.native").stages();
        assertThat(stages).as("nothing, and two stages").hasSize(3);
        assertThat(stages.get(1).lines())
                .startsWith("FROM quay.io/quarkus/ubi9-quarkus-mandrel-builder-image:jdk-25 AS build");
        List<String> steps = stages.get(1).all("RUN");
        assertThat(steps.getFirst()).contains("./mvnw", "-Dquarkus.native.enabled=true");
        assertThat(steps.getLast()).contains("BillOfMaterials.java", "target/sbom.json target/native");
        assertThat(stages.getLast().all("COPY"))
                .allMatch(copy -> copy.startsWith("--from=build "))
                .extracting(Dockerfile::arguments)
                .containsExactly(
                        List.of("/code/target/native/sbom.json", "/app/sbom.json"),
                        List.of("/code/target/native/licences.txt", "/app/licences.txt"),
                        List.of("/code/target/*-runner", "/app/agent-sessions"));
        assertThat(stages.getLast().entrypoint()).startsWith("/app/agent-sessions");
    }

    /** Whatever else it says, ImageTree and Jail must learn first. */
    @Test
    void theImageThatRunsHasOnlyWhatImageCheckKnows() {
        Stage run = Dockerfile.of("Dockerfile.native").run();
        assertThat(run.last("FROM")).isEqualTo(ImageTree.BASE_IMAGE);
        assertThat(run.lines()).allMatch(line -> line.matches("(FROM|COPY|EXPOSE|USER|WORKDIR|ENTRYPOINT) .*"));
        assertThat(run.last("WORKDIR")).isEqualTo("/tmp");
    }

    @Test
    void theCacheOfTheJvmIsWhereItIsLookedFor() {
        Stage run = Dockerfile.of("Dockerfile.jvm").run();
        assertThat(Dockerfile.arguments(run.last("COPY"))).containsExactly(BUILT + "/", "/app/");
        assertThat(run.last("ENV")).startsWith("JDK_JAVA_OPTIONS=").contains("/app/app.aot");
        assertThat(run.entrypoint()).contains("/app/quarkus-run.jar");
    }
}
