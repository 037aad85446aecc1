package ai.buildscale.agents.bench;

import java.util.List;
import java.util.Locale;

/** What the rounds gave: the median, and how far they lie apart. */
record Spread(double median, double min, double max) {
    static Spread of(List<Double> figures) {
        double[] all =
                figures.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return new Spread(Rounds.median(all), all[0], all[all.length - 1]);
    }

    /** @param number how each figure is written, as {@code %.2f} */
    String in(String number, String unit) {
        return String.format(Locale.ROOT, number + " %s (" + number + "–" + number + ")", median, unit, min, max);
    }
}
