package ai.buildscale.agents.bench;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * One of three servers owns every session and goes, in one way after the other: how soon the others have them all. Beside
 * it what the same handover takes as bare SQL, on the same rows, just before.
 */
final class ClusterRow implements Bench.Row {
    private static final int SERVERS = 3;
    private static final int SESSIONS = Integer.getInteger("bench.hosted", 10_000);
    /** Whoever takes a session a second time, or writes although it has lost it, does so within this. */
    private static final Duration AFTERMATH = Duration.ofSeconds(1);

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    /**
     * What a round gave, in seconds from the moment that the server went.
     *
     * @param noticed what passed before the others knew
     * @param bare what bare SQL takes for the handover
     * @param largestShare of the sessions, what one of the others got
     * @param once whether each session was handed over once, for the right reason, and left as it was
     */
    private record Outcome(double last, double noticed, double bare, double largestShare, boolean once) {
        double handingOver() {
            return last - noticed;
        }

        double ratio() {
            return handingOver() / bare;
        }
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_cluster");
        try (Fleet fleet = Fleet.start(lab, database, SERVERS);
                HostedSessions sessions = HostedSessions.open(database, SESSIONS);
                BareHandover bare = new BareHandover(database)) {
            Map<Departure, List<Outcome>> outcomes = new EnumMap<>(Departure.class);
            int turn = 0;
            // the first round warms up
            for (int round = 0; round <= Rounds.COUNT; round++) {
                for (Departure departure : Departure.values()) {
                    Outcome outcome = measure(fleet, fleet.member(turn++ % SERVERS), departure, sessions, bare);
                    System.out.println("    round " + round + ": " + departure + " " + outcome);
                    if (round > 0) {
                        outcomes.computeIfAbsent(departure, _ -> new ArrayList<>())
                                .add(outcome);
                    }
                }
            }
            sessions.clear();
            outcomes.forEach((departure, all) -> report(report, departure, all));
        }
        lab.dropDatabase("bench_cluster");
    }

    private static Outcome measure(
            Fleet fleet, Fleet.Member leaving, Departure departure, HostedSessions sessions, BareHandover bare)
            throws Exception {
        sessions.putOn(leaving);
        sessions.awaitCounted();
        double limit = bare.measure(leaving);
        sessions.execute("checkpoint");
        Instant at = Instant.now();
        long start = System.nanoTime();
        var answer = departure.begin(fleet, leaving);
        double last = (sessions.awaitLeft(leaving) - start) / 1e9;
        answer.join();
        departure.end(leaving);
        double noticed = departure.isUnannounced()
                ? Duration.between(at, fleet.goneAt(leaving)).toNanos() / 1e9
                : 0;
        Thread.sleep(AFTERMATH);
        String wanted = sessions.movedOnce(departure.event(), departure.reason());
        String found = sessions.movedAs();
        if (!found.equals(wanted)) {
            System.out.println("    wanted " + wanted + "; found " + found);
        }
        double share = sessions.largestShare() / (double) sessions.count();
        fleet.replace(leaving);
        return new Outcome(last, noticed, limit, share, found.equals(wanted));
    }

    private static void report(Report report, Departure departure, List<Outcome> outcomes) {
        report.line(
                departure.what(SESSIONS),
                seconds(outcomes, Outcome::last),
                departure.elsewhere(),
                "",
                departure.reach());
        if (departure.isUnannounced()) {
            report.figure("— until it was noticed", seconds(outcomes, Outcome::noticed), "");
        }
        report.line(
                "— the handover alone; against bare SQL in batches of 500 (time: less is better)",
                seconds(outcomes, Outcome::handingOver),
                seconds(outcomes, Outcome::bare),
                spread(outcomes, Outcome::ratio).in("%.2f", "×"),
                "");
        report.figure(
                "— the larger share of the two that remain",
                spread(outcomes, outcome -> 100 * outcome.largestShare()).in("%.1f", "%"),
                "");
        report.figure(
                "— rounds in which each was handed over once, told so by `" + departure.event() + "`, `"
                        + departure.reason() + "`, and left as it was",
                outcomes.stream().filter(Outcome::once).count() + " of " + outcomes.size(),
                "all");
    }

    private static String seconds(List<Outcome> outcomes, ToDoubleFunction<Outcome> figure) {
        return spread(outcomes, figure).in("%.2f", "s");
    }

    private static Spread spread(List<Outcome> outcomes, ToDoubleFunction<Outcome> figure) {
        return Spread.of(outcomes.stream().mapToDouble(figure).boxed().toList());
    }
}
