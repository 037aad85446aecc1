package ai.buildscale.agents.bench.simulation;

import ai.buildscale.agents.server.SimulatedFleet;
import ai.buildscale.agents.server.SimulatedFleet.Options;
import java.time.Duration;
import java.util.Arrays;

/** Servers are killed at once: who takes their sessions and how soon, what that asks of Postgres, how they lie afterwards. */
public final class Losing {
    private static final Duration WARM_UP = Duration.ofSeconds(20);
    private static final Duration STEP = Duration.ofMillis(100);
    /** For so long nothing has been moved when the fleet is at rest. */
    private static final double CALM_SECONDS = 40;

    private Losing() {}

    /**
     * A fleet, and what happens to it.
     *
     * @param cores of Postgres
     * @param limit when nobody waits any longer
     */
    public record Case(int servers, int sessions, int lost, double cores, Options options, Duration limit) {}

    /**
     * What came of it; times are in seconds from the moment that they were killed, -1 for never.
     *
     * @param noticed when the last of them was given up
     * @param recovered when the last session had another owner
     * @param lost sessions whose server was killed
     * @param claimed how often a session was handed over for a server that was lost
     * @param orphans sessions that had no living owner when it was over, or the time was
     * @param work what Postgres did until then
     * @param busiest the statements of its busiest second
     * @param batches of each server that handed sessions over
     * @param largest what the fullest server had then, as a multiple of the mean
     * @param calm when the last session was moved for balance
     * @param largestAtLast the fullest server, when that was over
     * @param readAfter when each server had read all events
     */
    public record Outcome(
            double noticed,
            double recovered,
            long lost,
            long claimed,
            long orphans,
            Postgres.Work work,
            long busiest,
            Spread batches,
            double largest,
            long rebalanced,
            double calm,
            double largestAtLast,
            double readAfter,
            int wronglyLost,
            Sessions sessions) {}

    /** The least, the median and the most. */
    public record Spread(long least, long median, long most) {
        static Spread of(long[] all) {
            long[] sorted = Arrays.stream(all).sorted().toArray();
            return new Spread(sorted[0], sorted[sorted.length / 2], sorted[sorted.length - 1]);
        }
    }

    public static Outcome run(Case given, long seed) {
        Agenda agenda = new Agenda();
        Postgres postgres = new Postgres(agenda, given.cores());
        Sessions sessions = new Sessions(given.sessions());
        SimulatedFleet fleet = new SimulatedFleet(agenda, postgres, sessions, seed, given.options());
        fleet.join(given.servers());
        fleet.fill();
        agenda.pass(WARM_UP);
        Postgres.Work before = postgres.work();
        long movedBefore = fleet.told().rebalanced();
        double start = agenda.seconds();
        fleet.kill(given.lost());
        long lost = fleet.orphans();
        double end = start + given.limit().toSeconds();
        while (fleet.orphans() > 0 && agenda.seconds() < end) {
            agenda.pass(STEP);
        }
        Postgres.Work work = postgres.work().since(before);
        long busiest = postgres.busiestSecond(start);
        long orphans = fleet.orphans();
        double recovered = orphans == 0 ? fleet.told().lastRecovered() - start : -1;
        double largest = largest(fleet);
        Spread batches = Spread.of(fleet.batches());
        double readAfter = -1;
        while (agenda.seconds() < Math.max(end, start + CALM_SECONDS)
                && (agenda.seconds() - Math.max(fleet.told().lastRebalanced(), start) < CALM_SECONDS
                        || fleet.unread() > 0)) {
            if (readAfter < 0 && orphans == 0 && fleet.unread() == 0) {
                readAfter = agenda.seconds() - start;
            }
            agenda.pass(STEP);
        }
        sessions.check();
        boolean calm = agenda.seconds() - fleet.told().lastRebalanced() >= CALM_SECONDS;
        return new Outcome(
                fleet.told().lastLost() - start,
                recovered,
                lost,
                fleet.told().recovered(),
                orphans,
                work,
                busiest,
                batches,
                largest,
                fleet.told().rebalanced() - movedBefore,
                calm ? Math.max(0, fleet.told().lastRebalanced() - start) : -1,
                largest(fleet),
                readAfter,
                Math.max(0, fleet.told().lost() - given.lost()),
                sessions);
    }

    static double largest(SimulatedFleet fleet) {
        long[] counts = fleet.counts();
        return Arrays.stream(counts).max().orElse(0)
                / Math.max(1, Arrays.stream(counts).average().orElse(1));
    }
}
