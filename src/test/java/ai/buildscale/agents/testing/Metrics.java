package ai.buildscale.agents.testing;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** What a service tells Prometheus. */
public final class Metrics {
    private static final Pattern LABEL = Pattern.compile("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\]|\\\\.)*)\"");

    private final List<String> lines;

    private Metrics(List<String> lines) {
        this.lines = lines;
    }

    public static Metrics of(Service service) {
        Api.Reply reply = Api.user(service).get("/q/metrics");
        if (reply.status() != 200) {
            throw new AssertionError(reply.text());
        }
        return new Metrics(reply.text().lines().toList());
    }

    /** The sample's value, NaN if there is none; {@code labels} as they are written, {@code sweep="sessions"}. */
    public double value(String name, String... labels) {
        return lines.stream()
                .filter(line -> line.startsWith(name + "{") || line.startsWith(name + " "))
                .filter(line -> Arrays.stream(labels).allMatch(line::contains))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .findFirst()
                .orElse(Double.NaN);
    }

    /** One series and its value. */
    public record Sample(String name, Map<String, String> labels, double value) {}

    public List<Sample> samples() {
        return lines.stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .map(Metrics::sample)
                .toList();
    }

    private static Sample sample(String line) {
        int end = line.lastIndexOf(' ');
        String series = line.substring(0, end);
        int brace = series.indexOf('{');
        Map<String, String> labels = new LinkedHashMap<>();
        LABEL.matcher(brace < 0 ? "" : series.substring(brace))
                .results()
                .forEach(label -> labels.put(label.group(1), label.group(2)));
        return new Sample(
                brace < 0 ? series : series.substring(0, brace), labels, Double.parseDouble(line.substring(end + 1)));
    }
}
