package ai.buildscale.agents.bench;

import java.util.ArrayList;
import java.util.List;

/** A change committed on one server until an event stream of another has it, two servers on one database. */
final class TwoServersRow implements Bench.Row {
    private static final int PACE = 25;
    private static final int CHANGES = Integer.getInteger("bench.changes", 500);

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_two_servers");
        try (PackagedService one = lab.service(database);
                PackagedService other = lab.service(database)) {
            Lab.fill(database, 1, SseRow.SESSIONS, "server", "running");
            try (SseClient client =
                    SseClient.start("sse-two-servers", SseRow.service(one, other, database, lab.token()))) {
                client.open(1);
                client.saturate("http", Rounds.WARM_UP_SECONDS);
                List<SseLoad.Result> results = new ArrayList<>();
                for (int round = 1; round <= Rounds.COUNT; round++) {
                    results.add(client.pace(PACE, CHANGES / PACE));
                    System.out.println("    round " + round + ": " + results.getLast());
                }
                report.figure(
                        CHANGES + " changes on one server at " + PACE + "/s, command sent → event read on the other",
                        Percentiles.of(results.stream()
                                        .map(result -> new Percentiles(result.p50() / 1e3, result.p99() / 1e3))
                                        .toList())
                                + " (the command's answer: p50 "
                                + Spread.of(results.stream()
                                                .map(result -> result.published50() / 1e3)
                                                .toList())
                                        .in("%.1f", "ms")
                                + ")",
                        "p50 ≤ 10 ms, p99 ≤ 50 ms");
            }
        }
    }
}
