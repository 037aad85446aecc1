package ai.buildscale.agents.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The figures of one row, printed as they come; {@code report.md} puts the newest of each row together. */
final class Report {
    private final String row;
    private final List<String> lines = new ArrayList<>();

    Report(String row) {
        this.row = row;
        System.out.println(row + ":");
    }

    /** A rate of the service beside its peer's. */
    void ratio(String what, String unit, Rounds rounds, int service, int peer, String reach) {
        line(
                what,
                thousands(rounds.median(service)) + " " + unit,
                thousands(rounds.median(peer)) + " " + unit,
                rounds.ratio(service, peer) + " ×",
                reach);
    }

    /** A figure by itself. */
    void figure(String what, String figure, String reach) {
        line(what, figure, "", "", reach);
    }

    /** A figure beside the peer's. */
    void line(String what, String service, String peer, String ratio, String reach) {
        String line = "| " + String.join(" | ", what, service, peer, ratio, reach) + " |";
        lines.add(line);
        System.out.println("  " + line);
    }

    void write(Lab lab, List<String> rows) throws IOException {
        Files.writeString(
                file(row),
                "\n### " + row + "\n\n" + Instant.now().truncatedTo(ChronoUnit.SECONDS) + ", commit " + commit() + ", "
                        + PackagedService.ARTIFACT.getFileName() + ", "
                        + Rounds.COUNT + " rounds of " + Rounds.SECONDS + " s after a warm-up of "
                        + Rounds.WARM_UP_SECONDS + " s, unless it says otherwise\n\n"
                        + "| what | service | peer or limit | median ratio (spread) | reach |\n"
                        + "| --- | --- | --- | --- | --- |\n" + String.join("\n", lines) + "\n");
        StringBuilder all = new StringBuilder("# Figures\n\nClient, service, peer and Postgres share one machine: "
                        + "compare ratios, not rates.\nEach is the median of interleaved rounds. A row stays until it is"
                        + " measured again: its head says when and of which commit.\n\n")
                .append(machine(lab));
        for (String other : rows) {
            if (Files.exists(file(other))) {
                all.append(Files.readString(file(other)));
            }
        }
        Path report = Lab.FOLDER.resolve("report.md");
        Files.writeString(report, all);
        System.out.println("  -> " + report);
    }

    private static Path file(String row) {
        return Lab.FOLDER.resolve("row-" + row + ".md");
    }

    private static String commit() {
        try {
            return Peer.run(Map.of(), List.of("git", "describe", "--always", "--dirty"))
                    .strip();
        } catch (IllegalStateException | UncheckedIOException e) {
            return "unknown";
        }
    }

    private static String machine(Lab lab) throws IOException {
        return """
                | machine | |
                | --- | --- |
                | cpu | %s |
                | cores | %d |
                | memory | %s |
                | kernel | %s %s |
                | JDK | %s |
                | Postgres | %s, %s |
                | date | %s |
                """.formatted(
                        proc("/proc/cpuinfo", "model name"),
                        Runtime.getRuntime().availableProcessors(),
                        proc("/proc/meminfo", "MemTotal"),
                        System.getProperty("os.name"),
                        System.getProperty("os.version"),
                        Runtime.version(),
                        lab.postgresVersion(),
                        String.join(", ", Lab.POSTGRES_SETTINGS),
                        Instant.now().truncatedTo(ChronoUnit.SECONDS));
    }

    private static String proc(String file, String name) throws IOException {
        try (var all = Files.lines(Path.of(file))) {
            return all.filter(line -> line.startsWith(name))
                    .findFirst()
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .orElse("unknown");
        }
    }

    static String thousands(double figure) {
        return String.format(Locale.ROOT, "%,.0f", figure);
    }

    static String oneDecimal(double figure) {
        return String.format(Locale.ROOT, "%.1f", figure);
    }
}
