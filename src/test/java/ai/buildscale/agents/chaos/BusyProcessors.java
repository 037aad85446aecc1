package ai.buildscale.agents.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import ai.buildscale.agents.dev.WatchedProcess;
import ai.buildscale.agents.testing.Api;
import ai.buildscale.agents.testing.Postgres;
import ai.buildscale.agents.testing.Servers;
import com.sun.management.OperatingSystemMXBean;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Three servers with the usual leases live on while other processes, two a processor, take all the processor time there
 * is: none of them is given up, and none stops to own. {@code make busy} runs it for {@code MINUTES}.
 */
class BusyProcessors {
    private static final int SERVERS = 3;
    private static final Duration TIME = Duration.ofMinutes(Integer.getInteger("busy.minutes", 10));
    private static final long PAUSE_MILLIS = 100;
    private static final String RENEWED =
            "select id::text, extract(epoch from renewed_at)::float8 as renewed_at from servers where lost_at is null";

    private final List<WatchedProcess> loops = new ArrayList<>();
    private final AtomicBoolean over = new AtomicBoolean();

    /** The seconds between two renewals of a server, by the database's clock. */
    private final List<Double> gaps = new ArrayList<>();

    private final Map<String, Double> renewedAt = new HashMap<>();

    @Test
    @Timeout(value = 3, unit = TimeUnit.HOURS)
    void noServerIsGivenUp() throws Exception {
        OperatingSystemMXBean machine = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        double used = 0;
        int looks = 0;
        try (Servers servers = Servers.startWithDefaults(SERVERS);
                ExecutorService traffic = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Integer> created = traffic.submit(() -> talk(servers));
            begin(2 * Runtime.getRuntime().availableProcessors());
            try {
                look(servers);
                List<String> ids = List.copyOf(renewedAt.keySet());
                gaps.clear();
                machine.getCpuLoad();
                for (long end = System.nanoTime() + TIME.toNanos(); System.nanoTime() < end; looks++) {
                    TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
                    look(servers);
                    used += machine.getCpuLoad();
                }
                over.set(true);
                say(
                        "%d minutes at %.1f %% CPU, %d sessions created",
                        TIME.toMinutes(), 100 * used / looks, created.get());
                gaps.sort(null);
                say(
                        "%d renewals, a gap is %.2f s (median), %.2f s (95th percentile), %.2f s (99th), %.2f s (longest)",
                        gaps.size(), gap(0.5), gap(0.95), gap(0.99), gap(1));
                requireUnharmed(servers, ids);
                assertThat(used / looks).as("how busy the processors were").isGreaterThan(0.97);
            } finally {
                over.set(true);
                loops.forEach(WatchedProcess::close);
            }
        }
    }

    private void begin(int count) throws IOException {
        File folder = new File("target").getAbsoluteFile();
        for (int i = 0; i < count; i++) {
            loops.add(WatchedProcess.start(
                    "TERM",
                    new File(folder, "busy.log"),
                    folder,
                    Map.of(),
                    List.of(),
                    List.of("sh", "-c", "while :; do :; done")));
        }
    }

    private void look(Servers servers) {
        for (Map<String, Object> row : Postgres.query(servers.database(), RENEWED)) {
            double now = (double) row.get("renewed_at");
            Double before = renewedAt.put((String) row.get("id"), now);
            if (before != null && now > before) {
                gaps.add(now - before);
            }
        }
    }

    private double gap(double quantile) {
        return gaps.get((int) Math.ceil(quantile * gaps.size()) - 1);
    }

    /** Sessions are created and started through each server in turn; returns how many. */
    private int talk(Servers servers) throws InterruptedException {
        Api owner = Api.user(servers.get(1));
        String workspace = owner.newWorkspace();
        int created = 0;
        while (!over.get()) {
            Api one = owner.at(servers.get(1 + created++ % SERVERS));
            one.command(one.newSession(workspace).get("id").asText(), "start", "{}")
                    .expect(200);
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
        }
        return created;
    }

    private static void requireUnharmed(Servers servers, List<String> ids) {
        assertThat(ids).hasSize(SERVERS);
        assertThat(Postgres.query(servers.database(), "select id::text from servers where lost_at is null"))
                .extracting(row -> row.get("id"))
                .containsExactlyInAnyOrderElementsOf(ids);
        assertThat(Postgres.query(servers.database(), "select id from servers")).hasSize(SERVERS);
        for (int i = 1; i <= SERVERS; i++) {
            assertThat(servers.get(i).metric("server_fenced_total")).isZero();
            assertThat(servers.get(i).metric("server_demoted_total")).isZero();
            assertThat(servers.get(i).metric("server_owns")).isEqualTo(1);
            assertThat(servers.get(i).metric("fleet_servers")).isEqualTo(SERVERS);
        }
    }

    @SuppressWarnings({"SystemOut", "AnnotateFormatMethod"})
    private static void say(String line, Object... arguments) {
        System.out.println("busy: " + String.format(line, arguments));
    }
}
