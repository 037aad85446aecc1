package ai.buildscale.agents.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;

/**
 * The client of the SSE rows, in a JVM of its own, the same for the service and its peer: subscribes and publishes.
 * Told what to do by lines on its standard input, answers each with a line; ends with its input.
 *
 * <pre>
 * open 1000              opens streams until there are so many
 * saturate http 8        publishes for 8 s as fast as all that is published reaches every stream
 * saturate rows 8        the same, past the service, into the log
 * pace 20 8              publishes 20 a second for 8 s and keeps the latencies
 * </pre>
 */
public final class SseLoad {
    private static final int PUBLISHERS = 64;
    /** Events that may be under way: more would only be kept by the server. */
    private static final int WINDOW = 256;

    private static final String FILLER = " Summarise the incident";
    private static final long DRAIN_NANOS = 10_000_000_000L;

    private final Map<String, String> settings;
    private final SseReader reader = new SseReader();
    private final List<SsePublisher> http = new ArrayList<>();
    private final List<SsePublisher> rows = new ArrayList<>();
    private final AtomicLong published = new AtomicLong();

    private SseLoad(Map<String, String> settings) throws IOException, SQLException {
        this.settings = settings;
        List<String> paths = List.of(settings.get("publish").split(",", -1));
        for (int i = 0; i < PUBLISHERS; i++) {
            int publisher = i;
            List<String> own = IntStream.range(0, paths.size())
                    .filter(path -> path % PUBLISHERS == publisher || paths.size() < PUBLISHERS)
                    .mapToObj(paths::get)
                    .toList();
            http.add(new SsePublisher.Http(
                    Integer.parseInt(settings.get("publish-port")),
                    settings.get("method"),
                    own,
                    settings.getOrDefault("authorization", ""),
                    settings.get("body")));
        }
        if (settings.containsKey("database")) {
            rows.add(new SsePublisher.Rows(settings.get("database")));
        }
    }

    /** What a run gave, as one line; latencies in microseconds. */
    record Result(double perSecond, long published, long lost, int closed, int p50, int p99, int published50) {
        static Result parse(String line) {
            String[] part = line.split(" ", -1);
            return new Result(
                    Double.parseDouble(part[0]),
                    Long.parseLong(part[1]),
                    Long.parseLong(part[2]),
                    Integer.parseInt(part[3]),
                    Integer.parseInt(part[4]),
                    Integer.parseInt(part[5]),
                    Integer.parseInt(part[6]));
        }

        String line() {
            return perSecond + " " + published + " " + lost + " " + closed + " " + p50 + " " + p99 + " " + published50;
        }
    }

    /** @param arguments settings, as {@code port=8080} */
    public static void main(String... arguments) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            settings.put(argument.substring(0, equals), argument.substring(equals + 1));
        }
        SseLoad load = new SseLoad(settings);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] command = line.split(" ", -1);
            System.out.println(
                    switch (command[0]) {
                        case "open" -> load.open(Integer.parseInt(command[1]));
                        case "saturate" ->
                            load.saturate(
                                            command[1].equals("rows") ? load.rows : load.http,
                                            Integer.parseInt(command[2]))
                                    .line();
                        case "pace" ->
                            load.pace(Integer.parseInt(command[1]), Integer.parseInt(command[2]))
                                    .line();
                        default -> throw new IllegalArgumentException(line);
                    });
        }
        System.exit(0);
    }

    private String open(int streams) throws IOException, InterruptedException {
        String authorization = settings.getOrDefault("authorization", "");
        String request =
                "GET " + settings.get("subscribe") + " HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                        + (authorization.isEmpty() ? "" : "Authorization: " + authorization + "\r\n") + "\r\n";
        reader.open(
                streams,
                new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(settings.get("port"))),
                request.getBytes(StandardCharsets.US_ASCII));
        return "open " + reader.open();
    }

    private Result saturate(List<SsePublisher> publishers, int seconds) throws InterruptedException {
        Run run = new Run();
        long start = System.nanoTime();
        long end = start + seconds * 1_000_000_000L;
        List<Thread> threads = publishers.stream()
                .map(publisher -> Thread.ofPlatform().start(() -> {
                    while (System.nanoTime() < end) {
                        if (run.underWay() >= WINDOW) {
                            LockSupport.parkNanos(100_000);
                        } else {
                            publish(publisher, System.nanoTime());
                        }
                    }
                }))
                .toList();
        for (Thread thread : threads) {
            thread.join();
        }
        double perSecond = run.delivered() * 1e9 / (System.nanoTime() - start);
        run.drain();
        return run.result(perSecond, new int[0], new int[0]);
    }

    private Result pace(int perSecond, int seconds) throws InterruptedException {
        Run run = new Run();
        reader.record();
        long pause = 1_000_000_000L / perSecond;
        long start = System.nanoTime();
        int[] micros = new int[perSecond * seconds];
        for (int i = 0; i < micros.length; i++) {
            long due = start + i * pause;
            boolean late = System.nanoTime() > due;
            while (System.nanoTime() < due) {
                LockSupport.parkNanos(due - System.nanoTime());
            }
            long at = late ? due : System.nanoTime();
            publish(http.get(i % PUBLISHERS), at);
            micros[i] = (int) ((System.nanoTime() - at) / 1_000);
        }
        run.drain();
        Arrays.sort(micros);
        return run.result(run.delivered() / (double) seconds, reader.recorded(), micros);
    }

    private void publish(SsePublisher publisher, long at) {
        try {
            String text = SseReader.MARKER + ("%0" + SseReader.DIGITS + "d").formatted(at) + FILLER;
            published.addAndGet(publisher.publish(text));
        } catch (IOException | SQLException e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    /** One measurement: what was published and delivered since it began. */
    private final class Run {
        private final long publishedBefore = published.get();
        private final long deliveredBefore = reader.delivered();

        long delivered() {
            return reader.delivered() - deliveredBefore;
        }

        long due() {
            return (published.get() - publishedBefore) * reader.open();
        }

        long underWay() {
            return (due() - delivered()) / reader.open();
        }

        /** Waits until all that was published has arrived, or nothing more does. */
        void drain() throws InterruptedException {
            long deadline = System.nanoTime() + DRAIN_NANOS;
            while (delivered() < due() && System.nanoTime() < deadline) {
                Thread.sleep(1);
            }
        }

        Result result(double perSecond, int[] latencies, int[] publishing) {
            return new Result(
                    perSecond,
                    published.get() - publishedBefore,
                    due() - delivered(),
                    reader.closed(),
                    quantile(latencies, 0.5),
                    quantile(latencies, 0.99),
                    quantile(publishing, 0.5));
        }

        private static int quantile(int[] sorted, double quantile) {
            return sorted.length == 0 ? 0 : sorted[(int) (quantile * (sorted.length - 1))];
        }
    }
}
