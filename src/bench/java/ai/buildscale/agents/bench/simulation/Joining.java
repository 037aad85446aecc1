package ai.buildscale.agents.bench.simulation;

import ai.buildscale.agents.server.SimulatedFleet;
import ai.buildscale.agents.server.SimulatedFleet.Options;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/** Servers join a fleet: what is moved to them, cycle by cycle, and whether it comes to rest. */
public final class Joining {
    private static final Duration WARM_UP = Duration.ofSeconds(30);
    private static final Duration CYCLE = Duration.ofSeconds(10);
    private static final int CALM_CYCLES = 4;
    private static final int MOST_CYCLES = 60;

    private Joining() {}

    public record Case(int servers, int sessions, int joining, double cores, Options options) {}

    /**
     * What came of it.
     *
     * @param perCycle sessions that were moved in each ten seconds from the first server that joined
     * @param calm when the last one was moved, in seconds; -1 if it never ends
     * @param again sessions that were moved more than once
     * @param largest what the fullest server has at last, as a multiple of the mean
     * @param least what the emptiest has
     */
    public record Outcome(
            List<Integer> perCycle, double calm, long again, double largest, double least, Sessions sessions) {
        public long moved() {
            return perCycle.stream().mapToLong(Integer::longValue).sum();
        }
    }

    public static Outcome run(Case given, long seed) {
        Agenda agenda = new Agenda();
        Sessions sessions = new Sessions(given.sessions());
        SimulatedFleet fleet =
                new SimulatedFleet(agenda, new Postgres(agenda, given.cores()), sessions, seed, given.options());
        fleet.join(given.servers());
        fleet.fill();
        agenda.pass(WARM_UP);
        double start = agenda.seconds();
        int before = (int) (start / CYCLE.toSeconds());
        fleet.join(given.joining());
        int cycles = 0;
        while (cycles < MOST_CYCLES
                && agenda.seconds() - Math.max(start, fleet.told().lastRebalanced())
                        < (CALM_CYCLES + 1) * CYCLE.toSeconds()) {
            agenda.pass(CYCLE);
            cycles++;
        }
        sessions.check();
        List<Integer> all = fleet.told().rebalancedPerCycle();
        long[] counts = fleet.counts();
        double mean = (double) given.sessions() / counts.length;
        long[] changes = sessions.byChanges();
        return new Outcome(
                all.size() > before ? all.subList(before, all.size()) : List.of(),
                cycles == MOST_CYCLES ? -1 : Math.max(0, fleet.told().lastRebalanced() - start),
                changes[2] + changes[3],
                Arrays.stream(counts).max().orElse(0) / mean,
                Arrays.stream(counts).min().orElse(0) / mean,
                sessions);
    }
}
