package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.deploy.Dockerfile.Instruction;
import ai.buildscale.agents.deploy.Dockerfile.Stage;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Both images, as far as one can see without building them. */
class DockerfileTest {
    private static final Path FOLDER = Path.of("src/main/docker");
    /** What a build makes, and a fresh checkout does not have. */
    private static final String BUILT = "target/quarkus-app";

    private static Dockerfile read(String name) {
        return Dockerfile.read(FOLDER.resolve(name));
    }

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
        Stage run = read(name).run();
        assertThat(run.last("USER")).matches("[1-9][0-9]*");
        assertThat(run.last("EXPOSE")).isEqualTo(Integer.toString(Settings.port()));
        // nothing is made or changed in the image of what runs but by copies
        assertThat(run.all("RUN")).isEmpty();
        assertThat(run.all("COPY")).isNotEmpty();
        assertThat(run.all("COPY"))
                .allSatisfy(copy -> assertThat(copy.options()).contains("--chown=0:0"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void startsWithoutAShellSoThatSignalsArrive(String name) throws JsonProcessingException {
        Stage run = read(name).run();
        assertThat(JsonMapper.builder().build().readTree(run.last("ENTRYPOINT")).isArray())
                .isTrue();
        assertThat(run.all("CMD")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void takesOnlyWhatIsThereAndSent(String name) {
        Dockerfile dockerfile = read(name);
        List<Instruction> copies = dockerfile.stages().stream()
                .flatMap(stage -> stage.all("COPY").stream())
                .filter(copy -> copy.options().stream().noneMatch(option -> option.startsWith("--from=")))
                .toList();
        assertThat(copies).isNotEmpty();
        for (Instruction copy : copies) {
            List<String> paths = copy.arguments();
            for (String source : paths.subList(0, paths.size() - 1)) {
                String path = source.replaceAll("/$", "");
                assertThat(sent(path)).as(path).isTrue();
                if (!path.equals(BUILT)) {
                    assertThat(Path.of(path)).exists();
                }
            }
        }
        assertThat(dockerfile.stages())
                .allSatisfy(stage -> assertThat(stage.all("ADD")).isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {".git/config", "data/dev-key.pem", "target/classes/x", "src/dev/java/x", "README.md"})
    void nothingElseIsSent(String path) {
        assertThat(sent(path)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void imagesHaveATag(String name) {
        Dockerfile dockerfile = read(name);
        for (Stage stage : dockerfile.stages()) {
            String image = stage.from().arguments().getFirst();
            if (image.startsWith("${")) {
                image = dockerfile.before().getFirst().text().replaceAll("^JDK_IMAGE=", "");
            }
            assertThat(image).matches("[a-z0-9.]+/[a-z0-9/-]+:[a-z0-9.-]+");
        }
    }

    @Test
    void nativeIsBuiltFromTheSourcesAndOnlyTheExecutableGoesOn() {
        Dockerfile dockerfile = read("Dockerfile.native");
        assertThat(dockerfile.stages()).hasSize(2);
        Stage build = dockerfile.stages().getFirst();
        String stage = build.from().arguments().getLast();
        assertThat(build.from().arguments().getFirst())
                .isEqualTo("quay.io/quarkus/ubi9-quarkus-mandrel-builder-image:jdk-25");
        assertThat(build.all("RUN").getFirst().text()).contains("./mvnw", "-Dquarkus.native.enabled=true");
        assertThat(build.last("RUN")).contains("BillOfMaterials.java", "target/sbom.json target/native");
        assertThat(dockerfile.run().all("COPY"))
                .allSatisfy(copy -> assertThat(copy.options()).contains("--from=" + stage))
                .extracting(Instruction::arguments)
                .containsExactly(
                        List.of("/code/target/native/sbom.json", "/app/sbom.json"),
                        List.of("/code/target/native/licences.txt", "/app/licences.txt"),
                        List.of("/code/target/*-runner", "/app/agent-sessions"));
        assertThat(dockerfile.run().last("ENTRYPOINT")).startsWith("[\"/app/agent-sessions\"");
    }

    @Test
    void theCacheOfTheJvmIsWhereItIsLookedFor() {
        Stage run = read("Dockerfile.jvm").run();
        assertThat(run.all("COPY").getFirst().arguments()).containsExactly(BUILT + "/", "/app/");
        assertThat(run.last("ENV")).startsWith("JDK_JAVA_OPTIONS=").contains("/app/app.aot");
        assertThat(run.last("ENTRYPOINT")).contains("\"/app/quarkus-run.jar\"");
    }
}
