package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.WatchedProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * One stream, many subscribers: events come in by real requests (a PATCH of a session's task; a POST to nchan), so that
 * each side does all of its work. The message is as long as the service's own event, about 200 bytes.
 */
final class SseRow implements Bench.Row {
    private static final int SESSIONS = 200;
    private static final int IN_FLIGHT = 8;
    private static final int PACE = 20;

    @Override
    public List<Peer> peers() {
        return List.of(Peer.NGINX);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_sse");
        int nchanPort = Lab.freePort();
        try (PackagedService service = lab.service(database, "-Devents.backlog=67108864");
                WatchedProcess _ = nchan(nchanPort)) {
            Lab.fill(database, 1, SESSIONS, "server", "running");
            String token = lab.token();
            String stream = "/api/v1/workspaces/" + Lab.WORKSPACE + Lab.FIRST + "/events";
            PackagedService.awaitAnswer(service.process(), service.url("/q/health/ready"));
            Random random = new Random(1);
            for (int subscribers : new int[] {1_000, 5_000}) {
                try (Listeners ours = Listeners.open(subscribers, service.port(), stream, token);
                        Listeners theirs = Listeners.open(subscribers, nchanPort, "/sub", token);
                        Publisher patch = new Publisher(n -> Publisher.request(
                                "PATCH",
                                service.url("/api/v1/agent-sessions/" + Lab.SESSION
                                        + (Lab.FIRST + random.nextInt(SESSIONS))),
                                token,
                                "{\"current_task\":\"" + task(n) + "\"}"));
                        Publisher post = new Publisher(n -> Publisher.request(
                                "POST", "http://127.0.0.1:" + nchanPort + "/pub", token, message(n)))) {
                    Rounds rounds = Rounds.of(
                            seconds -> deliveries(ours, patch, seconds), seconds -> deliveries(theirs, post, seconds));
                    String what = String.format(Locale.ROOT, "SSE, %,d subscribers: deliveries", subscribers);
                    report.ratio(what + "; against nginx + nchan", "/s", rounds, 0, 1, "≥ 1, then 5");
                    report.figure("streams cut off meanwhile", ours.cutOff() + ", nchan " + theirs.cutOff(), "0");
                    if (subscribers == 1_000) {
                        report.line(
                                "SSE, 1,000 × " + PACE + "/s: request to client, p50 / p99",
                                latency(ours, patch),
                                latency(theirs, post),
                                "",
                                "p99 ≤ 25 ms");
                    }
                }
            }
            memory(report, service, stream, token);
        }
    }

    private static double deliveries(Listeners listeners, Publisher publisher, int seconds)
            throws InterruptedException {
        long before = listeners.events();
        long begin = System.nanoTime();
        publisher.flood(IN_FLIGHT, seconds);
        return (listeners.events() - before) / ((System.nanoTime() - begin) / 1e9);
    }

    private static String latency(Listeners listeners, Publisher publisher) throws InterruptedException {
        Thread.sleep(2_000);
        listeners.time();
        publisher.pace(PACE, 20);
        return String.format(
                Locale.ROOT, "%.1f / %.1f ms", listeners.latencyMillis(0.5), listeners.latencyMillis(0.99));
    }

    /** Heap and direct memory in use after a collection, with and without 5,000 idle streams. */
    private static void memory(Report report, PackagedService service, String stream, String token) throws Exception {
        long without = used(service);
        try (Listeners _ = Listeners.open(5_000, service.port(), stream, token)) {
            report.figure("memory of an idle stream", (used(service) - without) / 5_000 / 1_000 + " kB", "≤ 25 kB");
        }
    }

    private static long used(PackagedService service) throws Exception {
        Thread.sleep(2_000);
        for (int i = 0; i < 2; i++) {
            new ProcessBuilder(System.getProperty("java.home") + "/bin/jcmd", "" + service.pid(), "GC.run")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
        }
        String metrics = Http.get(service.url("/q/metrics"));
        return metrics.lines()
                .filter(line -> line.startsWith("jvm_memory_used_bytes{area=\"heap\"")
                        || line.startsWith("jvm_buffer_memory_used_bytes"))
                .mapToLong(line -> (long) Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    /** A task with the time of sending, which makes the service's event about as long as nchan's message. */
    private static String task(long number) {
        return "t=" + System.nanoTime() + ".n" + number;
    }

    private static String message(long number) {
        return "{\"at\": \"2026-11-22T17:34:40.791802Z\", \"task\": \"" + task(number)
                + "\", \"chat_id\": \"01a20453-0682-7f24-81e8-d257d991ff18\", \"version\": 2, \"agent_type\":"
                + " \"assistant\", \"session_id\": \"01a20453-0682-733a-98b8-d6905861c94c\"}";
    }

    private static WatchedProcess nchan(int port) throws IOException {
        Path config = Lab.script(
                "nginx.conf",
                """
                load_module {module};
                daemon off;
                user root;
                worker_processes {workers};
                worker_rlimit_nofile 20000;
                pid {folder}/nginx.pid;
                error_log {folder}/nginx-error.log crit;
                events { worker_connections 19000; }
                http {
                  access_log off;
                  client_body_temp_path {folder}/nginx-body;
                  nchan_shared_memory_size 256M;
                  server {
                    listen 127.0.0.1:{port} backlog=8192;
                    location = /pub { nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 1000; }
                    location = /sub { nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; nchan_eventsource_ping_comment "x"; nchan_eventsource_ping_interval 600; }
                  }
                }
                """,
                Map.of(
                        "module",
                        Peer.NCHAN,
                        "workers",
                        Runtime.getRuntime().availableProcessors(),
                        "folder",
                        Lab.FOLDER,
                        "port",
                        port));
        Files.createDirectories(Lab.FOLDER);
        return WatchedProcess.start(
                "TERM",
                Lab.log("nginx").toFile(),
                Lab.FOLDER.toFile(),
                Map.of(),
                List.of(),
                List.of(Peer.NGINX.path().toString(), "-c", config.toString(), "-p", Lab.FOLDER.toString()));
    }
}
