package ai.buildscale.agents.bench;

import java.util.List;
import java.util.Locale;
import java.util.Random;

/** A change on one server, its event on a stream of another: from the request to the client. */
final class TwoServersRow implements Bench.Row {
    private static final int SESSIONS = 200;
    private static final int PACE = 50;
    private static final int SECONDS = 20;

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_two");
        String token = lab.token();
        Random random = new Random(1);
        try (PackagedService one = lab.service(database);
                PackagedService two = lab.service(database)) {
            Lab.fill(database, 1, SESSIONS, "server", "running");
            String stream = "/api/v1/workspaces/" + Lab.WORKSPACE + Lab.FIRST + "/events";
            try (Listeners listeners = Listeners.open(10, two.port(), stream, token);
                    Publisher publisher = new Publisher(n -> Publisher.request(
                            "PATCH",
                            one.url("/api/v1/agent-sessions/" + Lab.SESSION + (Lab.FIRST + random.nextInt(SESSIONS))),
                            token,
                            "{\"current_task\":\"t=" + System.nanoTime() + ".n" + n + "\"}"))) {
                publisher.flood(4, Rounds.WARM_UP_SECONDS);
                Thread.sleep(1_000);
                listeners.time();
                publisher.pace(PACE, SECONDS);
                report.figure(
                        "request on one server → SSE on another, " + PACE + "/s, p50 / p99",
                        String.format(
                                Locale.ROOT,
                                "%.1f / %.1f ms",
                                listeners.latencyMillis(0.5),
                                listeners.latencyMillis(0.99)),
                        "≤ 10 / ≤ 50 ms");
            }
        }
    }
}
