package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Service;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What development brings along stays out of what is deployed. */
class ProductionArtefactIT {
    /** Names of files, and of classes within jars; of a native executable, which has no files, all its text. */
    private static List<String> contents() throws IOException {
        Path artefact = Path.of(System.getProperty("service.artifact"));
        if (!artefact.toString().endsWith(".jar")) {
            return List.of(Files.readString(artefact, StandardCharsets.ISO_8859_1));
        }
        List<String> names = new ArrayList<>();
        try (Stream<Path> files = Files.walk(artefact.getParent())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                names.add(file.toString());
                if (file.toString().endsWith(".jar")) {
                    try (JarFile jar = new JarFile(file.toFile())) {
                        jar.stream().map(ZipEntry::getName).forEach(names::add);
                    }
                }
            }
        }
        return names;
    }

    @Test
    void containsTheService() throws IOException {
        assertThat(contents()).anyMatch(name -> name.contains("SessionService"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "EmbeddedPostgres",
                "DevMain",
                "DevTokenResource",
                "DevKeys",
                "agents/dev/",
                "agents.dev.",
                "zonky",
                "postgres-linux-",
                "commons-compress",
                "org/apache/commons/compress",
                "org/tukaani",
                "org/junit",
                "org.junit.",
                "swagger-ui",
                "smallrye-openapi",
                "io/smallrye/openapi/",
                "io/quarkus/smallrye/openapi/"
            })
    void containsNothingOfDevelopment(String name) throws IOException {
        // an executable is one text of 80 MB: nobody wants to read it in a report
        assertThat(contents().stream()
                        .filter(content -> content.contains(name))
                        .map(content -> content.length() > 1_000 ? "the executable" : content))
                .isEmpty();
    }

    @Test
    void issuesNoTokens() {
        Api.user(Service.shared()).post("/dev/tokens", "{}").expectProblem(404, "NOT_FOUND");
        Api.withToken(Service.shared(), null, null).post("/dev/tokens", "{}").expectProblem(401, "INVALID_TOKEN");
    }

    @Test
    void showsNoSwaggerUi() {
        assertThat(Service.shared().statusOf("/q/swagger-ui")).isEqualTo(404);
        assertThat(Service.shared().statusOf("/q/swagger-ui/")).isEqualTo(404);
        assertThat(Service.shared().statusOf("/q/dev-ui")).isEqualTo(404);
        assertThat(Service.shared().statusOf("/q/openapi")).isEqualTo(200);
    }
}
