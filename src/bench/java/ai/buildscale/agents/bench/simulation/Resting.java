package ai.buildscale.agents.bench.simulation;

import ai.buildscale.agents.server.SimulatedFleet;
import ai.buildscale.agents.server.SimulatedFleet.Options;
import java.time.Duration;

/** A fleet in which nobody comes or goes: what it asks of Postgres all the same, if Postgres has as many cores as it wants. */
public final class Resting {
    private static final Duration WARM_UP = Duration.ofSeconds(20);
    private static final Duration MEASURED = Duration.ofSeconds(20);
    private static final double ENOUGH_CORES = 1e6;

    private Resting() {}

    public static double seconds() {
        return MEASURED.toMillis() / 1e3;
    }

    /**
     * What Postgres does in so many {@link #seconds}.
     *
     * @param changes a second and server, each with an event and work for one owner
     */
    public static Postgres.Work run(int servers, int sessionsEach, double changes, long seed) {
        Agenda agenda = new Agenda();
        Postgres postgres = new Postgres(agenda, ENOUGH_CORES);
        Sessions sessions = new Sessions(servers * sessionsEach);
        SimulatedFleet fleet = new SimulatedFleet(agenda, postgres, sessions, seed, new Options(true, 0));
        fleet.join(servers);
        fleet.fill();
        agenda.pass(WARM_UP);
        if (changes > 0) {
            fleet.change(changes);
            agenda.pass(Duration.ofSeconds(2));
        }
        Postgres.Work before = postgres.work();
        agenda.pass(MEASURED);
        return postgres.work().since(before);
    }
}
