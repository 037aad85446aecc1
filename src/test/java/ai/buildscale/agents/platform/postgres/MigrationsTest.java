package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MigrationsTest {
    @Test
    void theNewestIsTheOneThatIsLookedFor() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("src/main/resources/db/migration"))) {
            assertThat(files.map(file -> file.getFileName().toString())
                            .max(Comparator.comparing(name -> Integer.valueOf(name.replaceFirst("V(\\d+)__.*", "$1")))))
                    .contains(Migrations.NEWEST);
        }
    }
}
