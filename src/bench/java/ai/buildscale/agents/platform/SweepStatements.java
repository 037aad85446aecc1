package ai.buildscale.agents.platform;

/** Lets the benchmarks run the very statements that the service runs. */
public final class SweepStatements {
    private SweepStatements() {}

    public static String claim() {
        return Sweeps.CLAIM;
    }
}
