package ai.buildscale.agents.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Both images, as far as one can see without building them. */
class DockerfileTest {
    private static final Path FOLDER = Path.of("src/main/docker");
    /** What a build makes, and a fresh checkout does not have. */
    private static final String BUILT = "target/quarkus-app";

    /** The lines of each stage, one for an instruction; those before the first FROM come first. */
    private static List<List<String>> stages(String name) {
        String text =
                Yaml.text(FOLDER.resolve(name)).replaceAll("(?m)^ *#.*\\n", "").replaceAll(" *\\\\\\n *", " ");
        // Docker takes "user root" and tabs too: the assertions below would not see them
        assertThat(text.lines().filter(line -> !line.isBlank()))
                .allMatch(line ->
                        line.matches("(FROM|ARG|ENV|COPY|RUN|USER|WORKDIR|EXPOSE|ENTRYPOINT|CMD|ADD) .*[^\\\\]"));
        return Arrays.stream(("\n" + text).split("(?m)^(?=FROM )"))
                .map(stage -> stage.lines().filter(line -> !line.isBlank()).toList())
                .toList();
    }

    private static List<String> run(String name) {
        return stages(name).getLast();
    }

    /** What follows the name of each such instruction. */
    private static List<String> all(List<String> stage, String instruction) {
        return stage.stream()
                .filter(line -> line.startsWith(instruction + " "))
                .map(line -> line.substring(instruction.length() + 1))
                .toList();
    }

    private static List<String> arguments(String instruction) {
        return Arrays.stream(instruction.split(" +"))
                .filter(word -> !word.startsWith("--"))
                .toList();
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
        List<String> run = run(name);
        assertThat(all(run, "USER").getLast()).matches("[1-9][0-9]*");
        assertThat(all(run, "EXPOSE").getLast()).isEqualTo(Integer.toString(Settings.port()));
        // nothing is made or changed in the image of what runs but by copies
        assertThat(all(run, "RUN")).isEmpty();
        assertThat(all(run, "COPY")).isNotEmpty().allMatch(copy -> copy.contains("--chown=0:0 "));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void startsWithoutAShellSoThatSignalsArrive(String name) throws JsonProcessingException {
        List<String> run = run(name);
        String entrypoint = all(run, "ENTRYPOINT").getLast();
        assertThat(JsonMapper.builder().build().readTree(entrypoint).isArray()).isTrue();
        assertThat(all(run, "CMD")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void takesOnlyWhatIsThereAndSent(String name) {
        List<String> lines = stages(name).stream().flatMap(List::stream).toList();
        assertThat(all(lines, "COPY"))
                .filteredOn(copy -> !copy.contains("--from="))
                .isNotEmpty()
                .flatExtracting(
                        copy -> arguments(copy).subList(0, arguments(copy).size() - 1))
                .map(source -> source.replaceAll("/$", ""))
                .allSatisfy(path -> assertThat(sent(path)).as(path).isTrue())
                .filteredOn(path -> !path.equals(BUILT))
                .allSatisfy(path -> assertThat(Path.of(path)).exists());
        assertThat(all(lines, "ADD")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {".git/config", "data/dev-key.pem", "target/classes/x", "src/dev/java/x", "README.md"})
    void nothingElseIsSent(String path) {
        assertThat(sent(path)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"Dockerfile.native", "Dockerfile.jvm"})
    void imagesHaveATag(String name) {
        List<List<String>> stages = stages(name);
        assertThat(stages.subList(1, stages.size())).isNotEmpty().allSatisfy(stage -> {
            String image = arguments(all(stage, "FROM").getFirst()).getFirst();
            assertThat(
                            image.equals("${JDK_IMAGE}")
                                    ? all(stages.getFirst(), "ARG").getFirst()
                                    : image)
                    .matches("(JDK_IMAGE=)?[a-z0-9.]+/[a-z0-9/-]+:[a-z0-9.-]+");
        });
    }

    @Test
    void nativeIsBuiltFromTheSourcesAndOnlyTheExecutableGoesOn() {
        List<List<String>> stages = stages("Dockerfile.native");
        assertThat(stages).as("nothing, and two stages").hasSize(3);
        assertThat(stages.get(1)).startsWith("FROM quay.io/quarkus/ubi9-quarkus-mandrel-builder-image:jdk-25 AS build");
        List<String> steps = all(stages.get(1), "RUN");
        assertThat(steps.getFirst()).contains("./mvnw", "-Dquarkus.native.enabled=true");
        assertThat(steps.getLast()).contains("BillOfMaterials.java", "target/sbom.json target/native");
        assertThat(all(stages.getLast(), "COPY"))
                .allMatch(copy -> copy.startsWith("--from=build "))
                .extracting(DockerfileTest::arguments)
                .containsExactly(
                        List.of("/code/target/native/sbom.json", "/app/sbom.json"),
                        List.of("/code/target/native/licences.txt", "/app/licences.txt"),
                        List.of("/code/target/*-runner", "/app/agent-sessions"));
        assertThat(all(stages.getLast(), "ENTRYPOINT").getLast()).startsWith("[\"/app/agent-sessions\"");
    }

    @Test
    void theCacheOfTheJvmIsWhereItIsLookedFor() {
        List<String> run = run("Dockerfile.jvm");
        assertThat(arguments(all(run, "COPY").getFirst())).containsExactly(BUILT + "/", "/app/");
        assertThat(all(run, "ENV").getLast()).startsWith("JDK_JAVA_OPTIONS=").contains("/app/app.aot");
        assertThat(all(run, "ENTRYPOINT").getLast()).contains("\"/app/quarkus-run.jar\"");
    }
}
