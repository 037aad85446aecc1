package ai.buildscale.agents.chaos;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How long and how hard, and from which seed. The short form is part of every test run; the long one has the usual
 * leases.
 *
 * @param rounds how often each fault strikes
 * @param load how long commands flow before a fault, and after it
 * @param patience how long a client waits before it asks another server
 * @param lostAfter the age at which a lease no longer counts
 */
record Scale(
        long seed,
        int rounds,
        int workers,
        Duration load,
        Duration patience,
        Duration lostAfter,
        Map<String, String> settings,
        List<String> flags) {
    static Scale ofRun() {
        boolean full = Boolean.getBoolean("chaos.long");
        String seed = System.getProperty("chaos.seed", "");
        Map<String, String> settings = full
                ? Map.of("events.keep-alive", "1S", "chat.max-attempts", "50")
                : Map.of(
                        "chat.max-attempts",
                        "50",
                        "events.keep-alive",
                        "1S",
                        "server.lease-renewal",
                        "1S",
                        "server.lost-after",
                        "4S",
                        "server.watch-interval",
                        "0.25S",
                        "sessions.sweep-interval",
                        "1S",
                        "sessions.stale-threshold",
                        "30S",
                        // where sessions end up is then a matter of the fault alone
                        "server.rebalance",
                        "false");
        return new Scale(
                seed.isEmpty() ? ThreadLocalRandom.current().nextInt(1_000_000) : Long.parseLong(seed),
                Integer.getInteger("chaos.rounds", 1),
                full ? 12 : 4,
                Duration.ofSeconds(Integer.getInteger("chaos.seconds", full ? 8 : 1)),
                full ? Duration.ofSeconds(2) : Duration.ofSeconds(1),
                full ? Duration.ofSeconds(6) : Duration.ofSeconds(4),
                settings,
                // those of the short form live for seconds: they start in half the time without the second compiler
                full ? List.of() : List.of("-XX:TieredStopAtLevel=1"));
    }
}
