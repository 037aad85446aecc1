package ai.buildscale.agents.bench;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Heartbeats of a million sessions that are hosted outside, in batches: first the pace that so many need, held for a
 * minute; then as fast as it goes, against pgbench updating the narrow table in batches of the same size.
 */
final class HeartbeatRow implements Bench.Row {
    private static final int SESSIONS = Integer.getInteger("bench.sessions", 1_000_000);
    private static final int BATCH = 500;
    private static final int BATCHES = SESSIONS / BATCH;
    private static final int SENDERS = 8;
    /** Each session beats every 30 s. */
    private static final int NEED = 33_400;

    private static final int HELD_SECONDS = Integer.getInteger("bench.held", 60);
    private static final byte[] ALIVE = "\"lease_extended\":true".getBytes(StandardCharsets.UTF_8);

    @Override
    public List<Peer> peers() {
        return List.of(Peer.PGBENCH);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_heartbeats");
        try (PackagedService service = lab.service(database);
                Senders senders = new Senders(service, lab.token("agent-host"))) {
            Lab.fill(database, 1_000, SESSIONS, "external", "running");
            senders.send(Rounds.WARM_UP_SECONDS, NEED);
            held(database, senders, report);
            fastest(database, senders, report);
            requireAlive(database);
        }
    }

    private static void held(String database, Senders senders, Report report) throws Exception {
        Lab.execute(database, "checkpoint");
        long before = wal(database);
        Sent sent = senders.send(HELD_SECONDS, NEED);
        long bytes = wal(database) - before;
        report.figure(
                Report.thousands(SESSIONS) + " sessions, " + Report.thousands(NEED) + " beats/s for " + HELD_SECONDS
                        + " s in batches of " + BATCH,
                Report.thousands(sent.beatsPerSecond()) + " /s, a batch p50 " + sent.millis(0.5) + ", p99 "
                        + sent.millis(0.99) + " after it was due",
                "held");
        report.figure("WAL a beat, a checkpoint before", bytes / sent.beats() + " bytes", "≤ 250");
    }

    private static void fastest(String database, Senders senders, Report report) throws Exception {
        Lab.execute(database, """
                create table batches (n bigint primary key, ids uuid[] not null);
                alter table batches alter column ids set storage external;
                insert into batches
                select n, array_agg(id order by id)
                from (select (row_number() over (order by id) - 1) / %d as n, id from agent_sessions) s
                group by n
                """.formatted(BATCH));
        Path sql = Lab.script("heartbeats.sql", """
                \\set i :i + 1
                \\set n :client_id * :slice + :i % :slice
                update session_heartbeats set beat_at = now()
                where session_id = any ((select ids from batches where n = :n)::uuid[]);
                """, Map.of());
        Map<String, ?> variables = Map.of("i", -1, "slice", BATCHES / SENDERS);
        Rounds rounds = Rounds.of(
                seconds -> senders.send(seconds, 0).beatsPerSecond(),
                seconds -> BATCH * Peer.pgbench(database, sql, SENDERS, seconds, variables),
                seconds -> BATCH * Peer.pgbench(database, sql, SENDERS, seconds, variables, "synchronous_commit=off"));
        report.ratio("as fast as it goes; against pgbench's batch", "beats/s", rounds, 0, 1, "≥ 0.5");
        report.ratio("the same; pgbench not waiting for the disk either", "beats/s", rounds, 0, 2, "");
    }

    private static long wal(String database) throws SQLException {
        return Lab.number(database, "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint");
    }

    /** A session that the sweep has ended was not kept alive. */
    private static void requireAlive(String database) throws SQLException {
        long ended = Lab.number(database, "select count(*) from agent_sessions where ended_at is not null");
        if (ended > 0) {
            throw new IllegalStateException(ended + " sessions went stale although they beat");
        }
    }

    private record Sent(long beats, double seconds, List<Long> sortedNanos) {
        double beatsPerSecond() {
            return beats / seconds;
        }

        String millis(double quantile) {
            long nanos = sortedNanos.get((int) (quantile * (sortedNanos.size() - 1)));
            return String.format(Locale.ROOT, "%.0f ms", nanos / 1e6);
        }
    }

    /** Agent hosts: each sends one batch after the other, the next one of all the sessions. */
    private static final class Senders implements AutoCloseable {
        private final HttpClient http =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        private final ExecutorService threads = Executors.newFixedThreadPool(SENDERS);
        private final AtomicLong nextBatch = new AtomicLong();
        private final List<HttpRequest> batches = new ArrayList<>();

        Senders(PackagedService service, String token) {
            URI url = URI.create(service.url("/api/v1/agent-sessions/heartbeats"));
            for (int batch = 0; batch < BATCHES; batch++) {
                StringBuilder beats = new StringBuilder();
                for (int i = 0; i < BATCH; i++) {
                    beats.append(i == 0 ? "" : ",")
                            .append("{\"id\":\"" + Lab.SESSION)
                            .append(Lab.FIRST + (long) batch * BATCH + i)
                            .append("\",\"epoch\":1}");
                }
                batches.add(HttpRequest.newBuilder(url)
                        .header("Authorization", "Bearer " + token)
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofByteArray(
                                ("{\"beats\":[" + beats + "]}").getBytes(StandardCharsets.UTF_8)))
                        .build());
            }
        }

        /** @param beatsPerSecond the pace, or 0 for as fast as it goes */
        Sent send(int seconds, int beatsPerSecond) throws Exception {
            long start = System.nanoTime();
            long end = start + seconds * 1_000_000_000L;
            long pause = beatsPerSecond == 0 ? 0 : BATCH * 1_000_000_000L / beatsPerSecond;
            AtomicLong turns = new AtomicLong();
            Callable<List<Long>> sender = () -> {
                List<Long> nanos = new ArrayList<>();
                while (true) {
                    long due = pause == 0 ? System.nanoTime() : start + turns.getAndIncrement() * pause;
                    if (due >= end) {
                        return nanos;
                    }
                    while (System.nanoTime() < due) {
                        LockSupport.parkNanos(due - System.nanoTime());
                    }
                    beat(batches.get((int) (nextBatch.getAndIncrement() % BATCHES)));
                    nanos.add(System.nanoTime() - due);
                }
            };
            List<Future<List<Long>>> running = new ArrayList<>();
            for (int i = 0; i < SENDERS; i++) {
                running.add(threads.submit(sender));
            }
            List<Long> nanos = new ArrayList<>();
            for (Future<List<Long>> done : running) {
                nanos.addAll(done.get());
            }
            double took = (System.nanoTime() - start) / 1e9;
            nanos.sort(null);
            return new Sent((long) nanos.size() * BATCH, took, nanos);
        }

        private void beat(HttpRequest request) throws IOException, InterruptedException {
            var response = http.send(request, BodyHandlers.ofByteArray());
            if (response.statusCode() != 200 || count(response.body()) != BATCH) {
                throw new IOException("a batch was refused: " + response.statusCode() + " "
                        + new String(response.body(), StandardCharsets.UTF_8));
            }
        }

        private static int count(byte[] body) {
            int count = 0;
            for (int i = 0; i + ALIVE.length <= body.length; i++) {
                if (body[i] == '"' && Arrays.equals(body, i, i + ALIVE.length, ALIVE, 0, ALIVE.length)) {
                    count++;
                    i += ALIVE.length;
                }
            }
            return count;
        }

        @Override
        public void close() {
            threads.shutdownNow();
            http.shutdownNow();
        }
    }
}
