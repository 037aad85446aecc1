package ai.buildscale.agents.platform.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.flyway.runtime.QuarkusPathLocationScanner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MigrationsTest {
    @Test
    void theNewestIsTheOneThatIsLookedFor() throws IOException {
        List<String> names;
        try (Stream<Path> files = Files.list(Path.of("src/main/resources/db/migration"))) {
            names = files.map(file -> file.getFileName().toString()).toList();
        }
        QuarkusPathLocationScanner.setApplicationMigrationFiles(
                names.stream().map("db/migration/"::concat).toList());

        assertThat(names.stream()
                        .max(Comparator.comparingInt(name -> Integer.parseInt(name.replaceFirst("V(\\d+)__.*", "$1")))))
                .contains(Migrations.newest());
    }

    @Test
    void theTenthIsNewerThanTheNinth() {
        QuarkusPathLocationScanner.setApplicationMigrationFiles(
                List.of("db/migration/V10__b.sql", "db/migration/V9__a.sql"));

        assertThat(Migrations.newest()).isEqualTo("V10__b.sql");
    }
}
