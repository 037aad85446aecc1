package ai.buildscale.agents.dev;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is shipped, in an order of its own, and what its licences are. */
class BillOfMaterialsTest {
    @TempDir
    private Path folder;

    private static String component(String name, String scope, String... licences) {
        StringBuilder all = new StringBuilder();
        for (String licence : licences) {
            all.append(all.isEmpty() ? "" : ",")
                    .append(licence.contains(" ") ? "{\"license\":{\"name\":\"" : "{\"license\":{\"id\":\"")
                    .append(licence)
                    .append("\"}}");
        }
        return "{\"bom-ref\":\"" + name + "\",\"group\":\"g\",\"name\":\"" + name
                + "\",\"version\":\"1\",\"licenses\":[" + all
                + "],\"properties\":[{\"name\":\"quarkus:component:scope\",\"value\":\"" + scope + "\"}]}";
    }

    private BillOfMaterials bill(String timestamp, String... components) throws IOException {
        Path file = folder.resolve("sbom.json");
        Files.writeString(file, """
                {"metadata":{"timestamp":"%s","component":{"bom-ref":"own"}},"components":[%s],
                 "dependencies":[{"ref":"own","dependsOn":["b","a","tool"]},{"ref":"tool","dependsOn":["a"]}]}
                """.formatted(timestamp, String.join(",", components)));
        return BillOfMaterials.read(file);
    }

    @Test
    void holdsWhatIsShippedAndIsTheSameForTheSameBuild() throws IOException {
        String own = component("own", "runtime");
        String a = component("a", "runtime", "MIT");
        String b = component("b", "runtime", "Apache-2.0");
        String tool = component("tool", "development", "GPL-3.0");

        BillOfMaterials one = bill("2026-01-01T00:00:00Z", own, tool, b, a);
        BillOfMaterials other = bill("2026-02-02T00:00:00Z", a, b, own, tool);

        assertThat(one.json()).isEqualTo(other.json()).doesNotContain("tool", "timestamp");
        assertThat(one.components())
                .extracting(component -> component.get("name").asText())
                .containsExactly("a", "b", "own");
        assertThat(one.refused()).isEmpty();
    }

    @Test
    void licencesAreAcceptedByName() throws IOException {
        BillOfMaterials bill = bill(
                "",
                component("own", "runtime"),
                component("choice", "runtime", "GPL-2.0-only", "EPL-2.0"),
                component("free", "runtime", "Public Domain"),
                component("strict", "runtime", "AGPL-3.0-only"),
                component("silent", "runtime"));

        assertThat(bill.refused()).containsExactly("g:silent:1: []", "g:strict:1: [AGPL-3.0-only]");
        assertThat(bill.licences())
                .contains("\nGPL-2.0-only or EPL-2.0\n  g:choice:1\n")
                .doesNotContain("own");
    }
}
