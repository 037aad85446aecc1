package ai.buildscale.agents.golden;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.testing.ServiceClasses;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every statement that the service runs, whole, as {@code src/test/resources/sql/<class>-<constant>.sql}. Statements are
 * constants: they are found by themselves.
 */
class StatementsTest {
    /** What a statement, or the head of one, begins with. */
    static final Pattern STATEMENT = Pattern.compile(
            "\\s*(select|insert into|update|delete from|with|merge into|values|call|truncate|lock table)\\s.*",
            Pattern.DOTALL);

    /** What statements are made from, and is none itself. */
    private static final Pattern TEMPLATE = Pattern.compile("\\{[a-z_]+\\}");

    static final JavaClasses CLASSES =
            new ClassFileImporter().withImportOption(new ServiceClasses()).importPackages("ai.buildscale.agents");

    private static final Path FOLDER = Golden.path("sql");

    private static final Map<String, String> STATEMENTS = statements();

    private static Map<String, String> statements() {
        Map<String, String> statements = new TreeMap<>();
        for (JavaClass type : CLASSES) {
            for (JavaField field : type.getFields()) {
                String text = isConstant(field) ? text(value(field.reflect())) : "";
                if (STATEMENT.matcher(text).matches() && !TEMPLATE.matcher(text).find()) {
                    assertThat(statements.put(name(field), text))
                            .as(name(field))
                            .isNull();
                }
            }
        }
        return statements;
    }

    private static boolean isConstant(JavaField field) {
        return field.getModifiers().containsAll(Set.of(JavaModifier.STATIC, JavaModifier.FINAL))
                && field.getRawType().isEquivalentTo(String.class);
    }

    private static String value(Field field) {
        try {
            field.setAccessible(true);
            return (String) field.get(null);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String name(JavaField field) {
        return name(field.getOwner().getName().replace('.', '/'), field.getName());
    }

    private static String name(String internal, String field) {
        String type = internal.substring(internal.lastIndexOf('/') + 1).replaceAll("([a-z0-9])([A-Z])", "$1-$2");
        return (type + '-' + field).replaceAll("[$_]", "-").toLowerCase(Locale.ROOT) + ".sql";
    }

    /** As it is run, but for blanks at ends of lines; a batch has one of the sizes that it may have. */
    private static String text(String statement) {
        return statement.replace("{batch}", "500").replaceAll("(?m)[ \t]+$", "").stripTrailing() + '\n';
    }

    static boolean isStatement(String type, String field) {
        return STATEMENTS.containsKey(name(type, field));
    }

    static boolean isConstant(String text) {
        return STATEMENTS.containsValue(text(text));
    }

    @BeforeAll
    static void writeAnew() throws IOException {
        if (Golden.WRITE) {
            for (String file : files()) {
                Files.delete(FOLDER.resolve(file));
            }
            STATEMENTS.forEach((name, text) -> Golden.write(FOLDER.resolve(name), text));
        }
    }

    private static List<String> files() throws IOException {
        if (!Files.exists(FOLDER)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(FOLDER)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    static Stream<String> names() {
        return STATEMENTS.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("names")
    void isAsItsFileSays(String name) {
        Golden.compare(FOLDER.resolve(name), STATEMENTS.get(name));
    }

    @Test
    void noFileIsLeftOfWhatIsGone() throws IOException {
        assertThat(STATEMENTS).hasSizeGreaterThan(100);
        assertThat(files())
                .as("the files of %s; make golden writes them anew", FOLDER)
                .isEqualTo(List.copyOf(STATEMENTS.keySet()));
    }
}
