package ai.buildscale.agents.bench.simulation;

import ai.buildscale.agents.server.SimulatedFleet;
import ai.buildscale.agents.server.SimulatedFleet.Options;
import java.time.Duration;

/** What {@code make bench-cluster} measures, simulated: three servers on two cores, of which the one that has all goes. */
public final class Three {
    private static final int SESSIONS = 10_000;
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration STEP = Duration.ofMillis(10);

    private Three() {}

    /** Seconds from the moment that it went. */
    public record Outcome(double noticed, double recovered) {}

    public static Outcome run(boolean killed, long seed) {
        Agenda agenda = new Agenda();
        Sessions sessions = new Sessions(SESSIONS);
        SimulatedFleet fleet =
                new SimulatedFleet(agenda, new Postgres(agenda, 2), sessions, seed, new Options(false, 0));
        fleet.join(3);
        agenda.pass(Duration.ofSeconds(20).plusMillis(Math.floorMod(seed * 397, 4_000)));
        fleet.fillFirst();
        double start = agenda.seconds();
        if (killed) {
            fleet.killFirst();
        } else {
            fleet.stopFirst();
        }
        while (fleet.orphans() > 0 && agenda.seconds() < start + LIMIT.toSeconds()) {
            agenda.pass(STEP);
        }
        sessions.check();
        return new Outcome(fleet.told().lastLost() - start, fleet.told().lastRecovered() - start);
    }
}
