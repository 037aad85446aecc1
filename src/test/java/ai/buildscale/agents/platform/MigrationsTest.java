package ai.buildscale.agents.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MigrationsTest {
    @Test
    void theNewestIsTheOneThatIsLookedFor() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("src/main/resources/db/migration"))) {
            assertThat(files.map(file -> file.getFileName().toString())
                            .mapToInt(name -> Integer.parseInt(name.replaceFirst("V(\\d+)__.*", "$1"))))
                    .hasSameSizeAs(new int[Integer.parseInt(Migrations.NEWEST)])
                    .allMatch(version -> version <= Integer.parseInt(Migrations.NEWEST))
                    .contains(Integer.parseInt(Migrations.NEWEST));
        }
    }
}
