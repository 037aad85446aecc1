package ai.buildscale.agents.bench.simulation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What the simulation has found, printed as it comes and written down at the end. */
final class Page {
    private final List<String> lines = new ArrayList<>();

    void title(String title) {
        line("");
        line("### " + title);
        line("");
    }

    void text(String text) {
        line(text);
        line("");
    }

    void head(String... cells) {
        row(cells);
        line("|" + " --- |".repeat(cells.length));
    }

    void row(String... cells) {
        line("| " + String.join(" | ", cells) + " |");
    }

    private void line(String line) {
        lines.add(line);
        System.out.println(line);
    }

    void write(Path file) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, String.join("\n", lines) + "\n");
        System.out.println("-> " + file);
    }

    static String thousands(long figure) {
        return String.format(Locale.ROOT, "%,d", figure);
    }

    static String seconds(double figure) {
        return figure < 0 ? "never" : String.format(Locale.ROOT, "%.1f s", figure);
    }

    static String times(double figure) {
        return String.format(Locale.ROOT, "%.2f ×", figure);
    }

    static String cores(double figure) {
        return String.format(Locale.ROOT, figure < 10 ? "%.2f" : "%.0f", figure);
    }
}
