package ai.buildscale.agents.platform;

import org.eclipse.microprofile.config.spi.Converter;

/**
 * Converts settings to whole numbers between two bounds; a refusal names the setting. Bean Validation of configuration
 * mappings could refuse them too, but it would set up a second validator at every start, for these bounds alone.
 */
public final class IntRange {
    private IntRange() {}

    /**
     * Reads one.
     *
     * @throws IllegalArgumentException if it is none, below the least or above the most
     */
    public static int between(int least, int most, String value) {
        try {
            int number = Integer.parseInt(value.strip());
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // it is refused as one that is out of range
        }
        throw new IllegalArgumentException(
                "must be a whole number from " + least + (most == Integer.MAX_VALUE ? "" : " to " + most));
    }

    /** From 0. */
    public static final class Natural implements Converter<Integer> {
        @Override
        public Integer convert(String value) {
            return between(0, Integer.MAX_VALUE, value);
        }
    }

    /** From 1. */
    public static final class Positive implements Converter<Integer> {
        @Override
        public Integer convert(String value) {
            return between(1, Integer.MAX_VALUE, value);
        }
    }
}
