package ai.buildscale.agents.platform;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import jakarta.ws.rs.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The rooms of the house, and who may enter which. */
class RoomsTest {
    private static final String HOUSE = "ai.buildscale.agents.";

    /** Each room may enter those that stand before it; the doors are all in the last row and do not enter each other. */
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

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("ai.buildscale.agents");

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
        throw new AssertionError("architecture.md has no room " + room);
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
    void resourcesLeaveTheDatabaseToServices() {
        noClasses()
                .that()
                .areAnnotatedWith(Path.class)
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
