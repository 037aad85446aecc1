package ai.buildscale.agents.golden;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the code composes, as files beside the tests, so that a change of it is lines of a diff. {@code make golden} (the
 * property {@code golden.write}) writes them anew; else they are compared.
 */
final class Golden {
    static final boolean WRITE = Boolean.getBoolean("golden.write");

    /** What a test that fails says. */
    static final String ADVICE = "If the change is meant: make golden, and look at the diff of %s";

    private static final Path RESOURCES = Path.of("src/test/resources");

    private Golden() {}

    static Path path(String name) {
        return RESOURCES.resolve(name);
    }

    /** The file's text; empty if there is none. */
    static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file) : "";
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
