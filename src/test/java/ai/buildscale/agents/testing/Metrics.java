package ai.buildscale.agents.testing;

import java.util.Arrays;
import java.util.List;

/** What a service tells Prometheus. */
public final class Metrics {
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
}
