package ai.buildscale.agents.bench;

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
                SseLoad.Result result = client.pace(PACE, CHANGES / PACE);
                report.figure(
                        CHANGES + " changes on one server at " + PACE + "/s, command sent → event read on the other",
                        "p50 " + Report.oneDecimal(result.p50() / 1e3) + " ms, p99 "
                                + Report.oneDecimal(result.p99() / 1e3) + " ms (the command's answer: p50 "
                                + Report.oneDecimal(result.published50() / 1e3) + " ms)",
                        "p50 ≤ 10 ms, p99 ≤ 50 ms");
            }
        }
    }
}
