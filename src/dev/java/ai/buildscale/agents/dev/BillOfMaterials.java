package ai.buildscale.agents.dev;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * What a package is made of: the CycloneDX document of the build, reduced to what is shipped and the same for the same
 * sources; and the licences in it, each of which must be one that this project accepts.
 */
@SuppressWarnings("SystemOut")
public final class BillOfMaterials {
    /** SPDX ids, and what two projects call theirs. A component under several licences needs one of them. */
    private static final Set<String> ACCEPTED =
            Set.of("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "EPL-2.0", "MIT", "MIT-0", "Public Domain");

    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private final ObjectNode document;

    private BillOfMaterials(ObjectNode document) {
        this.document = document;
    }

    /** @param arguments the build's document, and the folder of the package that {@code sbom.json} and the list go to */
    public static void main(String[] arguments) throws IOException {
        BillOfMaterials bill = read(Path.of(arguments[0]));
        List<String> refused = bill.refused();
        if (!refused.isEmpty()) {
            System.err.println(
                    "Licences that are not accepted (see BillOfMaterials):\n  " + String.join("\n  ", refused));
            System.exit(1);
        }
        Path folder = Path.of(arguments[1]);
        Files.writeString(folder.resolve("sbom.json"), bill.json());
        Files.writeString(folder.resolve("licences.txt"), bill.licences());
        System.out.println(
                folder.resolve("sbom.json") + ": " + bill.components().size() + " components");
    }

    /** Reads what {@code quarkus:dependency-sbom} has written, without what only builds need. */
    public static BillOfMaterials read(Path file) throws IOException {
        ObjectNode document = (ObjectNode) JSON.readTree(Files.readString(file));
        // the moment of the build is the one thing that differs from build to build
        ((ObjectNode) document.get("metadata")).remove("timestamp");
        Set<String> shipped = new TreeSet<>();
        keep(document, "components", "bom-ref", BillOfMaterials::isShipped)
                .forEach(component -> shipped.add(component.get("bom-ref").asText()));
        for (JsonNode one : keep(
                document,
                "dependencies",
                "ref",
                one -> shipped.contains(one.get("ref").asText()))) {
            retain((ObjectNode) one, shipped);
        }
        return new BillOfMaterials(document);
    }

    private static boolean isShipped(JsonNode component) {
        return StreamSupport.stream(component.path("properties").spliterator(), false)
                .anyMatch(property -> property.get("name").asText().equals("quarkus:component:scope")
                        && property.get("value").asText().equals("runtime"));
    }

    private interface Wanted {
        boolean is(JsonNode one);
    }

    /** Reduces a list to what is wanted, in the order of a field. */
    private static ArrayNode keep(ObjectNode document, String list, String order, Wanted wanted) {
        List<JsonNode> kept = new ArrayList<>();
        document.get(list).forEach(one -> {
            if (wanted.is(one)) {
                kept.add(one);
            }
        });
        kept.sort(Comparator.comparing(one -> one.get(order).asText()));
        return document.putArray(list).addAll(kept);
    }

    private static void retain(ObjectNode dependency, Set<String> shipped) {
        Set<String> on = new TreeSet<>();
        dependency.path("dependsOn").forEach(ref -> on.add(ref.asText()));
        on.retainAll(shipped);
        ArrayNode kept = dependency.putArray("dependsOn");
        on.forEach(kept::add);
    }

    public Collection<JsonNode> components() {
        List<JsonNode> all = new ArrayList<>();
        document.get("components").forEach(all::add);
        return all;
    }

    /** The components of others. */
    private List<JsonNode> foreign() {
        String own = document.at("/metadata/component/bom-ref").asText();
        return components().stream()
                .filter(component -> !component.get("bom-ref").asText().equals(own))
                .toList();
    }

    /** The components without a licence that is accepted, with those that they have. */
    public List<String> refused() {
        return foreign().stream()
                .filter(component -> licences(component).stream().noneMatch(ACCEPTED::contains))
                .map(component -> name(component) + ": " + licences(component))
                .toList();
    }

    public String json() throws IOException {
        return JSON.writeValueAsString(document) + "\n";
    }

    /** Each licence, or choice of licences, and what is under it. */
    public String licences() {
        Map<String, List<String>> under = foreign().stream()
                .collect(Collectors.groupingBy(
                        component -> String.join(" or ", licences(component)),
                        TreeMap::new,
                        Collectors.mapping(BillOfMaterials::name, Collectors.toList())));
        StringBuilder text = new StringBuilder("""
                What this package is made of, by licence.
                Many jars carry their licence's text; sbom.json tells where each comes from.
                """);
        under.forEach((licence, names) -> text.append("\n")
                .append(licence)
                .append("\n  ")
                .append(String.join("\n  ", names))
                .append("\n"));
        return text.toString();
    }

    private static String name(JsonNode component) {
        return component.get("group").asText() + ":" + component.get("name").asText() + ":"
                + component.get("version").asText();
    }

    private static List<String> licences(JsonNode component) {
        List<String> all = new ArrayList<>();
        for (JsonNode choice : component.path("licenses")) {
            JsonNode licence = choice.path("license");
            all.add(licence.path("id")
                    .asText(licence.path("name")
                            .asText(choice.path("expression").asText())));
        }
        return all;
    }
}
