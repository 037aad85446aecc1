package ai.buildscale.agents.platform;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.ServiceClasses;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The packages in order, and which of them may use which. */
class RoomsTest {
    private static final String HOUSE = "ai.buildscale.agents.";
    private static final int MOST_LINES = 400;

    /** Each package may use those of the rows before it; the doors are all in the last row and do not use each other. */
    private static final List<Set<String>> ROOMS = List.of(
            Set.of("platform"),
            Set.of("workspace"),
            Set.of("event"),
            Set.of("agent"),
            Set.of("session"),
            Set.of("server", "engine"),
            Set.of("turn"),
            Set.of("host"),
            Set.of("chat"),
            Set.of("directory"),
            Set.of("mailbox"),
            Set.of("task"),
            Set.of("swarm"),
            Set.of("dashboard", "mcp", "a2a", "webhook"));

    private static final JavaClasses CLASSES =
            new ClassFileImporter().withImportOption(new ServiceClasses()).importPackages("ai.buildscale.agents");

    private static String room(JavaClass type) {
        String rest = type.getPackageName().substring(HOUSE.length());
        int dot = rest.indexOf('.');
        return dot < 0 ? rest : rest.substring(0, dot);
    }

    private static int row(String room) {
        for (int row = 0; row < ROOMS.size(); row++) {
            if (ROOMS.get(row).contains(room)) {
                return row;
            }
        }
        throw new AssertionError("ROOMS has no package " + room);
    }

    private static boolean allowed(String from, String to) {
        return from.equals(to) || row(to) < row(from);
    }

    @Test
    void nobodyEntersARoomBelow() {
        Map<String, Set<String>> entered = new TreeMap<>();
        for (JavaClass type : CLASSES) {
            for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
                JavaClass target = dependency.getTargetClass().getBaseComponentType();
                if (target.getPackageName().startsWith(HOUSE) && !allowed(room(type), room(target))) {
                    entered.computeIfAbsent(room(type) + " → " + room(target), _ -> new TreeSet<>())
                            .add(dependency.getDescription());
                }
            }
        }

        assertThat(CLASSES).hasSizeGreaterThan(300);
        assertThat(entered).isEmpty();
    }

    /** The rooms of the platform; the root, with no name, is for what they all need. */
    private static final List<String> PLATFORM =
            List.of("problem", "", "telemetry", "schedule", "postgres", "jobs", "security", "http");

    @Test
    void thePlatformIsARowOfItsOwn() {
        Set<String> entered = new TreeSet<>();
        for (JavaClass type : CLASSES) {
            for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
                JavaClass target = dependency.getTargetClass().getBaseComponentType();
                if (room(type).equals("platform")
                        && target.getPackageName().startsWith(HOUSE)
                        && platformRow(type) < platformRow(target)) {
                    entered.add(dependency.getDescription());
                }
            }
        }
        assertThat(entered).isEmpty();
    }

    private static int platformRow(JavaClass type) {
        String name = type.getPackageName().substring((HOUSE + "platform").length());
        int row = PLATFORM.indexOf(name.isEmpty() ? "" : name.substring(1));
        assertThat(row).as(type.getName()).isNotNegative();
        return row;
    }

    @Test
    void noPackagesImportEachOtherInACircle() {
        SlicesRuleDefinition.slices()
                .assignedFrom(packages())
                .should()
                .beFreeOfCycles()
                .check(CLASSES);
    }

    /** Each package is a slice, with no regard to the packages within it. */
    private static SliceAssignment packages() {
        return new SliceAssignment() {
            @Override
            public SliceIdentifier getIdentifierOf(JavaClass type) {
                return SliceIdentifier.of(type.getPackageName());
            }

            @Override
            public String getDescription() {
                return "packages";
            }
        };
    }

    @Test
    void noTwoTypesHaveOneName() {
        Map<String, Set<String>> named = new TreeMap<>();
        for (JavaClass type : CLASSES) {
            // what a person has named, and not the compiler, the build or Quarkus
            if (!type.isAnonymousClass()
                    && !type.getSimpleName().isEmpty()
                    && !type.getName().contains("$$")) {
                named.computeIfAbsent(type.getSimpleName(), _ -> new TreeSet<>())
                        .add(type.getName());
            }
        }
        named.values().removeIf(types -> types.size() == 1);

        assertThat(named).isEmpty();
    }

    @Test
    void aFileIsReadInOneSitting() throws IOException {
        Map<String, Long> lengths = new TreeMap<>();
        try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                try (Stream<String> lines = Files.lines(file)) {
                    lengths.put(file.toString(), lines.count());
                }
            }
        }
        lengths.values().removeIf(lines -> lines <= MOST_LINES);

        assertThat(lengths).isEmpty();
    }

    @Test
    void resourcesLeaveTheDatabaseToServices() {
        noClasses()
                .that()
                .areAnnotatedWith(jakarta.ws.rs.Path.class)
                .should()
                .dependOnClassesThat()
                .haveSimpleNameEndingWith("Repository")
                .orShould()
                .dependOnClassesThat()
                .haveSimpleNameEndingWith("Sql")
                .check(CLASSES);
    }

    @Test
    void onlyThePlatformKnowsHowTracesAreMade() {
        noClasses()
                .that()
                .resideOutsideOfPackage("..agents.platform..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.opentelemetry..")
                .check(CLASSES);
    }

    @Test
    void repositoriesAndEntitiesStayInTheirRoom() {
        classes()
                .that()
                .haveSimpleNameEndingWith("Repository")
                .or()
                .haveSimpleNameEndingWith("Sql")
                .should()
                .notBePublic()
                .check(CLASSES);
    }
}
