package ai.buildscale.agents.platform.jobs;

/** Lets the benchmarks run the very statements that the service runs. */
public final class SweepStatements {
    private SweepStatements() {}

    public static String claim() {
        return Sweeps.CLAIM;
    }
}
