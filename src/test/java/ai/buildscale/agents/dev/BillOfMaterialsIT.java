package ai.buildscale.agents.dev;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The bill of materials tells the truth about the jars that are shipped. */
@Tag("jvm")
class BillOfMaterialsIT {
    private static final Path LIBRARIES =
            Path.of(System.getProperty("service.artifact")).resolveSibling("lib");

    /** Quarkus packs this one anew, without the senders that it has its own for. */
    private static final String WITHOUT_SOME_CLASSES = "io.opentelemetry.opentelemetry-exporter-otlp-1";

    private static BillOfMaterials bill() throws IOException {
        return BillOfMaterials.read(Path.of("target/sbom.json"));
    }

    private static List<Path> jars() throws IOException {
        try (Stream<Path> files = Files.walk(LIBRARIES)) {
            return files.filter(file -> file.toString().endsWith(".jar")).toList();
        }
    }

    private static String hash(Path file) throws IOException, NoSuchAlgorithmException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    }

    @Test
    void namesEveryJarByItsContent() throws Exception {
        Set<String> told = new TreeSet<>();
        for (JsonNode component : bill().components()) {
            component
                    .path("hashes")
                    .forEach(hash -> told.add(hash.get("content").asText()));
        }

        assertThat(jars()).hasSizeGreaterThan(100);
        for (Path jar : jars()) {
            if (jar.getFileName().toString().startsWith(WITHOUT_SOME_CLASSES)) {
                continue;
            }
            assertThat(told).as(jar.toString()).contains(hash(jar));
        }
    }

    @Test
    void namesNothingThatIsNotShipped() throws IOException {
        // beside the jars, the service itself
        assertThat(bill().components()).hasSize(jars().size() + 1);
    }

    @Test
    void everyLicenceIsAccepted() throws IOException {
        assertThat(bill().refused()).isEmpty();
    }
}
