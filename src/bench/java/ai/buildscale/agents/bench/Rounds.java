package ai.buildscale.agents.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** Measurements of several sides taken in turns, so that whatever else the machine does hits all of them alike. */
final class Rounds {
    static final int COUNT = Integer.getInteger("bench.rounds", 5);
    static final int SECONDS = Integer.getInteger("bench.seconds", 8);
    /** What the JIT needs. */
    static final int WARM_UP_SECONDS = Integer.getInteger("bench.warm-up", 20);

    private final List<double[]> figures;

    private Rounds(List<double[]> figures) {
        this.figures = figures;
    }

    /** One measurement of so many seconds; the figure is a rate: more is better. */
    interface Side {
        double measure(int seconds) throws Exception;
    }

    /** Warms each side up, then measures them in turns; every other round begins with the last. */
    static Rounds of(Side... sides) throws Exception {
        return of(WARM_UP_SECONDS, SECONDS, sides);
    }

    /** The same with a warm-up and measurements of another length, in seconds. */
    static Rounds of(int warmUpSeconds, int seconds, Side... sides) throws Exception {
        for (Side side : sides) {
            side.measure(warmUpSeconds);
        }
        List<double[]> figures = new ArrayList<>();
        for (int round = 0; round < COUNT; round++) {
            double[] row = new double[sides.length];
            List<Integer> order =
                    new ArrayList<>(IntStream.range(0, sides.length).boxed().toList());
            if (round % 2 == 1) {
                Collections.reverse(order);
            }
            for (int side : order) {
                row[side] = sides[side].measure(seconds);
            }
            figures.add(row);
            System.out.println("    round " + (round + 1) + ": " + Arrays.toString(row));
        }
        return new Rounds(figures);
    }

    double median(int side) {
        return median(figures.stream().mapToDouble(row -> row[side]).toArray());
    }

    /** How one side compares with another, round by round. */
    Ratio ratio(int side, int peer) {
        double[] ratios =
                figures.stream().mapToDouble(row -> row[side] / row[peer]).toArray();
        return new Ratio(
                median(ratios),
                Arrays.stream(ratios).min().orElseThrow(),
                Arrays.stream(ratios).max().orElseThrow());
    }

    record Ratio(double median, double min, double max) {
        @Override
        public String toString() {
            return String.format(Locale.ROOT, "%.2f (%.2f–%.2f)", median, min, max);
        }
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
