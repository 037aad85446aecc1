package ai.buildscale.agents.golden;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The API's document, as the build writes it: every change of the contract is lines of a diff. */
class ApiTest {
    private static final Path FILE = Golden.path("openapi.json");

    private static String document() throws IOException {
        try (InputStream document = ApiTest.class.getResourceAsStream("/api/openapi.json")) {
            return new String(document.readAllBytes(), StandardCharsets.UTF_8).stripTrailing() + '\n';
        }
    }

    @BeforeAll
    static void writeAnew() throws IOException {
        if (Golden.WRITE) {
            Golden.write(FILE, document());
        }
    }

    @Test
    void isAsItsFileSays() throws IOException {
        Golden.compare(FILE, document());
    }
}
