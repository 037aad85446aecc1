package ai.buildscale.agents.bench.simulation;

import ai.buildscale.agents.server.SimulatedFleet.Options;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * {@code make simulate}: fleets that no one machine can hold, run by the service's own rules on a simulated Postgres. The
 * same seed gives the same figures.
 */
public final class Simulation {
    private static final Path FILE = Path.of("target/bench/simulation.md");
    private static final long SEED = Long.getLong("simulation.seed", 1);
    private static final int SERVERS = Integer.getInteger("simulation.servers", 1_000);
    private static final int SESSIONS_EACH = 10_000;
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final Options STREAMS = new Options(true, 0);
    private static final Options NO_STREAMS = new Options(false, 0);
    private static final Options SAMPLED = new Options(false, 64);

    private final Page page = new Page();

    private Simulation() {}

    public static void main(String... none) throws Exception {
        long start = System.nanoTime();
        Simulation simulation = new Simulation();
        simulation.page.text("# Simulation\n\nSeed " + SEED
                + ". Who is lost, who takes and who gives is decided by the service's own rules; what Postgres takes is"
                + " reckoned from the processor time of each statement, measured alone (`make bench-upkeep`). Disks, the"
                + " network, waiting for locks, garbage collection and the load of clients are left out.");
        simulation.likeMeasured();
        simulation.resting();
        simulation.losing();
        simulation.joining();
        simulation.page.write(FILE);
        System.out.printf("in %.0f s%n", (System.nanoTime() - start) / 1e9);
    }

    private void likeMeasured() {
        page.title("Three servers, 10,000 sessions on one that goes; Postgres with 2 cores; 25 runs");
        page.head("", "noticed after", "the last one re-owned after");
        for (boolean killed : new boolean[] {true, false}) {
            List<Three.Outcome> all = LongStream.range(0, 25)
                    .mapToObj(run -> Three.run(killed, SEED + run))
                    .toList();
            page.row(
                    killed ? "`kill -9`" : "`kill -STOP`",
                    spread(all, Three.Outcome::noticed),
                    spread(all, Three.Outcome::recovered));
        }
    }

    private static String spread(List<Three.Outcome> all, ToDoubleFunction<Three.Outcome> figure) {
        double[] sorted = all.stream().mapToDouble(figure).sorted().toArray();
        return "%.2f s (%.2f–%.2f)".formatted(sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
    }

    /** What a fleet asks of Postgres while nothing happens, and with one change a second on each server. */
    private void resting() {
        int[] fleets = {10, 100, 1_000};
        for (double changes : new double[] {0, 1}) {
            page.title("A fleet at rest, 10,000 sessions a server, "
                    + (changes == 0 ? "no change" : "one change a second on each server, a stream open on each"));
            List<Postgres.Work> works = Arrays.stream(fleets)
                    .mapToObj(servers -> Resting.run(servers, SESSIONS_EACH, changes, SEED))
                    .toList();
            List<String> head = new ArrayList<>(List.of("statement"));
            for (int servers : fleets) {
                head.add(Page.thousands(servers) + " servers: a second");
                head.add("cores");
            }
            page.head(head.toArray(String[]::new));
            for (Cost cost : Cost.values()) {
                if (works.stream().anyMatch(work -> work.statements(cost) > 0)) {
                    page.row(cells(cost.what(), works, work -> work.statements(cost), work -> work.coreSeconds(cost)));
                }
            }
            page.row(cells("**all**", works, Postgres.Work::allStatements, Postgres.Work::allCoreSeconds));
        }
    }

    private static String[] cells(
            String what,
            List<Postgres.Work> works,
            ToLongFunction<Postgres.Work> statements,
            ToDoubleFunction<Postgres.Work> coreSeconds) {
        List<String> cells = new ArrayList<>(List.of(what));
        for (Postgres.Work work : works) {
            cells.add(Page.thousands(Math.round(statements.applyAsLong(work) / Resting.seconds())));
            cells.add(Page.cores(coreSeconds.applyAsDouble(work) / Resting.seconds()));
        }
        return cells.toArray(String[]::new);
    }

    private void losing() {
        page.title(Page.thousands(SERVERS) + " servers, " + Page.thousands((long) SERVERS * SESSIONS_EACH)
                + " sessions, some of the servers killed at once");
        page.head(
                "lost",
                "Postgres",
                "sessions",
                "noticed",
                "the last one re-owned",
                "hand-overs (given up)",
                "statements a second, busiest",
                "cores used",
                "batches a server",
                "fullest server",
                "moved for balance, until",
                "fullest then",
                "given up alive");
        for (int lost : new int[] {1, 10, SERVERS / 3}) {
            lose("", lost, 16, NO_STREAMS);
        }
        lose("", SERVERS / 3, 64, NO_STREAMS);
        lose(", streams on all", 10, 16, STREAMS);
        lose(", takers drawn from 64", SERVERS / 3, 16, SAMPLED);
    }

    private void lose(String how, int lost, int cores, Options options) {
        Losing.Outcome outcome =
                Losing.run(new Losing.Case(SERVERS, SERVERS * SESSIONS_EACH, lost, cores, options, LIMIT), SEED);
        double limit = LIMIT.toMillis() / 1e3;
        double recovering = outcome.recovered() < 0 ? limit : outcome.recovered();
        page.row(
                lost + how,
                cores + " cores",
                Page.thousands(outcome.lost()),
                Page.seconds(outcome.noticed()),
                outcome.recovered() < 0
                        ? Page.thousands(outcome.orphans()) + " left after " + Page.seconds(limit)
                        : Page.seconds(outcome.recovered()),
                Page.thousands(outcome.work().statements(Cost.HAND_OVER)) + " ("
                        + Page.thousands(outcome.work().abandoned(Cost.HAND_OVER)) + ")",
                Page.thousands(outcome.busiest()),
                Page.cores(outcome.work().allCoreSeconds() / recovering),
                outcome.batches().least() + "–" + outcome.batches().median() + "–"
                        + outcome.batches().most(),
                Page.times(outcome.largest()),
                Page.thousands(outcome.rebalanced()) + ", " + Page.seconds(outcome.calm()),
                Page.times(outcome.largestAtLast()),
                Integer.toString(outcome.wronglyLost()));
    }

    private void joining() {
        page.title("Servers join; Postgres with 16 cores");
        page.head(
                "fleet",
                "joining",
                "moved",
                "in each cycle of 10 s",
                "at rest after",
                "moved more than once",
                "emptiest – fullest");
        join(SERVERS, SERVERS / 10);
        join(SERVERS, SERVERS * 3 / 10);
        join(SERVERS / 2, SERVERS / 2);
        join(9, 1);
        join(3, 1);
    }

    private void join(int servers, int joining) {
        Joining.Outcome outcome =
                Joining.run(new Joining.Case(servers, servers * SESSIONS_EACH, joining, 16, NO_STREAMS), SEED);
        page.row(
                Page.thousands(servers),
                Page.thousands(joining),
                Page.thousands(outcome.moved()),
                outcome.perCycle().stream().map(moved -> Page.thousands(moved)).collect(Collectors.joining(" · ")),
                Page.seconds(outcome.calm()),
                Page.thousands(outcome.again()),
                Page.times(outcome.least()) + " – " + Page.times(outcome.largest()));
    }
}
