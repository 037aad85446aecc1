package ai.buildscale.agents.bench;

import java.util.List;

/** The half and the last hundredth of a round's latencies, in milliseconds. */
record Percentiles(double p50, double p99) {
    static Percentiles ofNanos(List<Long> nanos) {
        double[] sorted = nanos.stream().mapToDouble(one -> one / 1e6).sorted().toArray();
        return new Percentiles(sorted[sorted.length / 2], sorted[(int) (0.99 * (sorted.length - 1))]);
    }

    /** The medians of several rounds with their spread. */
    static String of(List<Percentiles> rounds) {
        return "p50 "
                + Spread.of(rounds.stream().map(Percentiles::p50).toList()).in("%.1f", "ms") + ", p99 "
                + Spread.of(rounds.stream().map(Percentiles::p99).toList()).in("%.1f", "ms");
    }
}
