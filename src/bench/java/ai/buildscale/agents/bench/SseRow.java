package ai.buildscale.agents.bench;

import ai.buildscale.agents.dev.WatchedProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** Fan-out of one workspace's events to many streams: against nginx + nchan, with one and the same client. */
final class SseRow implements Bench.Row {
    private static final int FEW = Integer.getInteger("bench.few", 1_000);
    private static final int MANY = Integer.getInteger("bench.many", 5_000);
    private static final int PACE = 20;
    static final int SESSIONS = 64;
    private static final int WORKERS = Integer.getInteger("bench.nginx.workers", 1);

    @Override
    public List<Peer> peers() {
        return List.of(Peer.NGINX);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_sse");
        int nchanPort = Lab.freePort();
        try (PackagedService service = lab.service(database);
                WatchedProcess nchan = nchan(nchanPort)) {
            Lab.fill(database, 1, SESSIONS, "server", "running");
            PackagedService.awaitAnswer(nchan, "http://127.0.0.1:" + nchanPort + "/");
            try (SseClient ours = SseClient.start("sse-service", service(service, service, database, lab.token()));
                    SseClient theirs = SseClient.start("sse-nchan", nchanClient(nchanPort))) {
                ours.open(FEW);
                theirs.open(FEW);
                saturation(ours, theirs, FEW, report);
                latency(ours, theirs, report);
                memory(service, nchan, ours, theirs, report);
                saturation(ours, theirs, MANY, report);
            }
        }
    }

    private static void saturation(SseClient ours, SseClient theirs, int streams, Report report) throws Exception {
        Rounds rounds = Rounds.of(
                seconds -> ours.saturate("http", seconds),
                seconds -> theirs.saturate("http", seconds),
                seconds -> ours.saturate("rows", seconds));
        String what = Report.thousands(streams) + " streams, deliveries by commands; against nginx + nchan";
        report.ratio(what, "/s", rounds, 0, 1, "≥ 1, then 5");
        report.ratio("the same, rows inserted into the log past the service", "/s", rounds, 2, 1, "");
    }

    private static void latency(SseClient ours, SseClient theirs, Report report) throws Exception {
        List<SseLoad.Result> results = new ArrayList<>();
        Rounds rounds = Rounds.of(
                seconds -> {
                    results.add(ours.pace(PACE, seconds));
                    return results.getLast().p99() / 1e3;
                },
                seconds -> theirs.pace(PACE, seconds).p99() / 1e3);
        double p50 = Rounds.median(results.stream()
                .skip(1)
                .mapToDouble(result -> result.p50() / 1e3)
                .toArray());
        report.line(
                Report.thousands(FEW) + " streams × " + PACE + "/s, command sent → event read",
                "p50 " + Report.oneDecimal(p50) + ", p99 " + Report.oneDecimal(rounds.median(0)) + " ms",
                "p99 " + Report.oneDecimal(rounds.median(1)) + " ms",
                "",
                "p99 ≤ 25 ms");
    }

    /** What each further stream costs, once events have passed through it. */
    private static void memory(
            PackagedService service, WatchedProcess nchan, SseClient ours, SseClient theirs, Report report)
            throws Exception {
        long heap = heapAfterGc(service.pid());
        long resident = resident(service.process());
        long residentNchan = resident(nchan);
        ours.open(MANY);
        theirs.open(MANY);
        ours.pace(PACE, 2);
        theirs.pace(PACE, 2);
        int added = MANY - FEW;
        heap = (heapAfterGc(service.pid()) - heap) / added;
        resident = (resident(service.process()) - resident) / added;
        report.line(
                "memory a stream, of " + Report.thousands(added),
                "heap after GC " + Report.oneDecimal(heap / 1e3) + " kB, resident " + Report.oneDecimal(resident / 1e3)
                        + " kB",
                "resident " + Report.oneDecimal((resident(nchan) - residentNchan) / 1e3 / added) + " kB",
                "",
                "≤ 25 kB");
    }

    static long heapAfterGc(long pid) throws IOException, InterruptedException {
        Process jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(pid),
                        "GC.class_histogram")
                .start();
        String total;
        try (Stream<String> lines = jcmd.inputReader().lines()) {
            total = lines.filter(line -> line.startsWith("Total")).findFirst().orElseThrow();
        }
        jcmd.waitFor(10, TimeUnit.SECONDS);
        return Long.parseLong(total.strip().split("\\s+", -1)[2]);
    }

    /** Of the process and its children; memory that they share counts once. */
    private static long resident(WatchedProcess process) throws IOException {
        long bytes = 0;
        List<ProcessHandle> all = Stream.concat(
                        Stream.of(process.handle()), process.handle().descendants())
                .toList();
        for (ProcessHandle one : all) {
            try (Stream<String> lines = Files.lines(Path.of("/proc/" + one.pid() + "/smaps_rollup"))) {
                bytes += lines.filter(line -> line.startsWith("Pss:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                        .sum();
            }
        }
        return bytes;
    }

    /** A client that publishes to one server by changing tasks, and follows the workspace on another. */
    static Map<String, ?> service(PackagedService publish, PackagedService subscribe, String database, String token) {
        String paths = LongStream.range(Lab.FIRST, Lab.FIRST + SESSIONS)
                .mapToObj(n -> "/api/v1/agent-sessions/" + Lab.SESSION + n)
                .collect(Collectors.joining(","));
        return Map.of(
                "port",
                subscribe.port(),
                "subscribe",
                "/api/v1/workspaces/" + Lab.WORKSPACE + Lab.FIRST + "/events",
                "authorization",
                "Bearer " + token,
                "publish-port",
                publish.port(),
                "publish",
                paths,
                "method",
                "PATCH",
                "body",
                "{\"current_task\":\"%s\"}",
                "database",
                database);
    }

    private static Map<String, ?> nchanClient(int port) {
        String likeOurs = "{\"at\": \"2026-01-01T00:00:00.000000Z\", \"task\": \"%s\", \"chat_id\": \"" + Lab.CHAT
                + Lab.FIRST + "\", \"version\": 1000, \"agent_type\": \"assistant\", \"session_id\": \"" + Lab.SESSION
                + Lab.FIRST + "\"}";
        return Map.of(
                "port",
                port,
                "subscribe",
                "/events",
                "publish-port",
                port,
                "publish",
                "/publish",
                "method",
                "POST",
                "body",
                likeOurs);
    }

    private static WatchedProcess nchan(int port) throws IOException {
        Path folder = Files.createDirectories(Lab.FOLDER.resolve("nginx"));
        String user = System.getProperty("user.name").equals("root") ? "user root;" : "";
        Path configuration = Lab.script(
                "nginx/nginx.conf",
                """
                load_module {nchan};
                {user}
                daemon off;
                worker_processes {workers};
                worker_rlimit_nofile 20000;
                pid {folder}/nginx.pid;
                error_log {folder}/error.log warn;
                events { worker_connections 12000; }
                http {
                  access_log off;
                  client_body_temp_path {folder}/body;
                  proxy_temp_path {folder}/proxy;
                  fastcgi_temp_path {folder}/fastcgi;
                  uwsgi_temp_path {folder}/uwsgi;
                  scgi_temp_path {folder}/scgi;
                  keepalive_requests 100000000;
                  nchan_shared_memory_size 256M;
                  server {
                    listen 127.0.0.1:{port} backlog=4096;
                    location = / { return 200; }
                    location = /publish {
                      nchan_publisher;
                      nchan_channel_id bench;
                      nchan_message_buffer_length 2000;
                      nchan_message_timeout 1m;
                    }
                    location = /events {
                      nchan_subscriber eventsource;
                      nchan_channel_id bench;
                      nchan_subscriber_first_message newest;
                    }
                  }
                }
                """,
                Map.of("nchan", Peer.NCHAN, "user", user, "workers", WORKERS, "folder", folder, "port", port));
        return WatchedProcess.start(
                "TERM",
                Lab.log("nginx/out").toFile(),
                folder.toFile(),
                Map.of(),
                List.of(),
                List.of(Peer.NGINX.path().toString(), "-c", configuration.toString(), "-e", folder + "/start.log"));
    }
}
