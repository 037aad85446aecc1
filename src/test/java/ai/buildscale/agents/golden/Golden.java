package ai.buildscale.agents.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What the code composes, as files beside the tests, so that a change of it is lines of a diff. {@code make golden} (the
 * property {@code golden.write}) writes them anew; else they are compared.
 */
public final class Golden {
    static final boolean WRITE = Boolean.getBoolean("golden.write");

    private static final Path RESOURCES = Path.of("src/test/resources");

    private Golden() {}

    static Path path(String name) {
        return RESOURCES.resolve(name);
    }

    /** A statement of the service by the name of its file, as {@code turn-sql-begin}. */
    public static String statement(String name) {
        return String.join("\n", lines(path("sql").resolve(name + ".sql")));
    }

    /** Fails at the first line that is not the file's. */
    static void compare(Path file, String text) {
        List<String> lines = text.lines().toList();
        List<String> golden = lines(file);
        for (int i = 0; i < Math.max(lines.size(), golden.size()); i++) {
            assertThat(i < lines.size() ? lines.get(i) : "the end")
                    .as("line %d of %s. If the change is meant: make golden, and look at its diff", i + 1, file)
                    .isEqualTo(i < golden.size() ? golden.get(i) : "the end");
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.exists(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
