package ai.buildscale.agents.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * {@code make bench}: each row runs the service and a peer in one run, interleaved and warmed up, and reports the ratio.
 * Client, service and Postgres share the machine, so only ratios mean anything.
 */
public final class Bench {
    /** Only where it is asked for: it needs another build. */
    private static final String BEFORE = "before";

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
        ROWS.put("langgraph", new LangGraphRow());
        ROWS.put("upkeep", new UpkeepRow());
        ROWS.put("start", new StartRow());
        ROWS.put("growth", new GrowthRow());
        ROWS.put(BEFORE, new BeforeRow());
    }

    private Bench() {}

    /** What is measured, beside what. */
    interface Row {
        List<Peer> peers();

        void run(Lab lab, Report report) throws Exception;
    }

    /**
     * Runs rows.
     *
     * @param names which; all if none is named: then a row whose peer Debian does not have may be left out, and says so
     */
    public static void main(String... names) throws Exception {
        List<String> wanted = names.length > 0
                ? List.of(names)
                : ROWS.keySet().stream().filter(name -> !name.equals(BEFORE)).toList();
        Set<Peer> missing = new LinkedHashSet<>();
        for (String name : wanted) {
            if (!ROWS.containsKey(name)) {
                fail("No row is called " + name + "; there are " + String.join(", ", ROWS.keySet()));
            }
            missingFor(name).stream()
                    .filter(peer -> names.length > 0 || peer.isFromDebian())
                    .forEach(missing::add);
        }
        if (!missing.isEmpty()) {
            fail("Missing: " + Peer.missing(missing));
        }
        boolean failed = false;
        try (Lab lab = Lab.open()) {
            for (String name : wanted) {
                Report report = new Report(name);
                List<Peer> absent = missingFor(name);
                if (absent.isEmpty()) {
                    try {
                        ROWS.get(name).run(lab, report);
                    } catch (Exception e) {
                        // the rows after it are measured all the same
                        failed = true;
                        e.printStackTrace();
                        report.figure("failed: " + e.getMessage(), "", "");
                    }
                } else {
                    report.figure("not measured, missing: " + Peer.missing(absent), "", "");
                }
                report.write(lab, new ArrayList<>(ROWS.keySet()));
            }
        }
        if (failed) {
            fail("Not every row could be measured");
        }
    }

    private static List<Peer> missingFor(String row) {
        return ROWS.get(row).peers().stream().filter(peer -> !peer.isThere()).toList();
    }

    private static void fail(String message) {
        System.err.println(message);
        System.exit(1);
    }
}
