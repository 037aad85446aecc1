package ai.buildscale.agents.bench;

import java.net.http.HttpRequest;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** Beats of a million sessions that beat for themselves, in batches: the need for a minute, then all that goes. */
final class HeartbeatRow implements Bench.Row {
    private static final int SESSIONS = 1_000_000;
    private static final int BATCH = 500;
    private static final int NEED = 33_400;
    private static final int HELD_SECONDS = Integer.getInteger("bench.held", 60);
    private static final int IN_FLIGHT = 8;

    @Override
    public List<Peer> peers() {
        return List.of(Peer.PGBENCH);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_beats");
        String token = lab.token("agent-host");
        try (PackagedService service = lab.service(database, "-Dsessions.stale-threshold=1H")) {
            Lab.fill(database, 16, SESSIONS, "external", "running");
            Path script = Lab.script(
                    "beats.sql",
                    """
                    \\set first random(0, {last})
                    update session_heartbeats set beat_at = now()
                    where session_id = any (array(
                        select ('{prefix}' || ({base} + :first + n))::uuid from generate_series(0, {batch} - 1) n));
                    """,
                    Map.of("last", SESSIONS - BATCH, "prefix", Lab.SESSION, "base", Lab.FIRST, "batch", BATCH));
            try (Publisher beats = new Publisher(
                    _ -> beats(service, token, ThreadLocalRandom.current().nextInt(SESSIONS - BATCH)))) {
                beats.flood(IN_FLIGHT, Rounds.WARM_UP_SECONDS);
                Lab.execute(database, "checkpoint");
                long wal = wal(database);
                long begin = System.nanoTime();
                long answered = beats.pace(NEED / BATCH + 1, HELD_SECONDS) * BATCH;
                double seconds = (System.nanoTime() - begin) / 1e9 - 0.5;
                report.line(
                        "heartbeats of 1 M sessions, batches of " + BATCH + ", held for " + HELD_SECONDS + " s",
                        Report.thousands(answered / seconds) + " /s",
                        Report.thousands(NEED) + " /s",
                        "",
                        "held");
                report.figure(
                        "WAL a beat, after a checkpoint",
                        String.format(Locale.ROOT, "%d bytes", (wal(database) - wal) / answered),
                        "≤ 250 bytes");
                Rounds rounds = Rounds.of(
                        s -> (double) beats.flood(IN_FLIGHT, s) * BATCH / s,
                        s -> Peer.pgbench(database, script, IN_FLIGHT, s, Map.of(), "synchronous_commit=off") * BATCH);
                report.ratio(
                        "heartbeats, as many as go; against pgbench's batch of " + BATCH + " on the narrow table",
                        "/s",
                        rounds,
                        0,
                        1,
                        "≥ 0.5");
            }
        }
    }

    private static HttpRequest beats(PackagedService service, String token, long first) {
        StringBuilder body = new StringBuilder(64 * BATCH).append("{\"beats\":[");
        for (long i = 0; i < BATCH; i++) {
            body.append(i == 0 ? "" : ",")
                    .append("{\"id\":\"")
                    .append(Lab.SESSION)
                    .append(Lab.FIRST + first + i)
                    .append("\",\"epoch\":1}");
        }
        return Publisher.request(
                "POST",
                service.url("/api/v1/agent-sessions/heartbeats"),
                token,
                body.append("]}").toString());
    }

    private static long wal(String database) throws Exception {
        return Lab.number(database, "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint");
    }
}
