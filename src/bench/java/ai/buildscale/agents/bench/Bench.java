package ai.buildscale.agents.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * {@code make bench}: each row runs the service and a peer in one run, interleaved and warmed up, and reports the ratio.
 * Client, service and Postgres share the machine, so only ratios mean anything.
 */
public final class Bench {
    private static final Map<String, Row> ROWS = new LinkedHashMap<>();

    static {
        ROWS.put("get", new GetRow());
        ROWS.put("write", new WriteRow());
        ROWS.put("heartbeats", new HeartbeatRow());
        ROWS.put("sse", new SseRow());
        ROWS.put("two-servers", new TwoServersRow());
        ROWS.put("cluster", new ClusterRow());
        ROWS.put("commands", new CommandRow());
        ROWS.put("actors", new ActorRow());
        ROWS.put("upkeep", new UpkeepRow());
        ROWS.put("start", new StartRow());
        ROWS.put("growth", new GrowthRow());
    }

    private Bench() {}

    /** What is measured, beside what. */
    interface Row {
        List<Peer> peers();

        void run(Lab lab, Report report) throws Exception;
    }

    /** @param names the rows to run; all if none is named */
    public static void main(String... names) throws Exception {
        List<String> wanted = names.length == 0 ? List.copyOf(ROWS.keySet()) : List.of(names);
        Set<Peer> missing = new LinkedHashSet<>();
        for (String name : wanted) {
            if (!ROWS.containsKey(name)) {
                fail("No row is called " + name + "; there are " + String.join(", ", ROWS.keySet()));
            }
            ROWS.get(name).peers().stream().filter(peer -> !peer.isThere()).forEach(missing::add);
        }
        if (!missing.isEmpty()) {
            fail("Missing: " + missing.stream().map(Peer::program).collect(Collectors.joining(", "))
                    + ". On Debian: apt-get install "
                    + missing.stream().map(Peer::packages).collect(Collectors.joining(" ")));
        }
        try (Lab lab = Lab.open()) {
            for (String name : wanted) {
                Report report = new Report(name);
                ROWS.get(name).run(lab, report);
                report.write(lab, new ArrayList<>(ROWS.keySet()));
            }
        }
    }

    private static void fail(String message) {
        System.err.println(message);
        System.exit(1);
    }
}
