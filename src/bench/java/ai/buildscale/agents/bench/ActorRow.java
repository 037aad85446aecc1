package ai.buildscale.agents.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Chat actors with the scripted engine: messages through them beside the same changes of status without an actor, time to
 * the first chunk, what an idle and a passivated actor weigh, how fast passivated ones come back.
 */
final class ActorRow implements Bench.Row {
    private static final int ACTORS = Integer.getInteger("bench.actors", 10_000);
    private static final int TALKERS = 64;
    private static final int PACE = 20;
    private static final int PASSIVATED_AFTER_SECONDS = 20;

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_actors");
        try (PackagedService service = lab.service(database);
                ChatLoad chats = ChatLoad.open(lab, service, database, ACTORS)) {
            throughput(chats, report);
            latency(chats, report);
        }
        lab.dropDatabase("bench_actors");
        database = lab.newDatabase("bench_actors");
        try (PackagedService service =
                        lab.service(database, "-Dchat.passivate-after=" + PASSIVATED_AFTER_SECONDS + "S");
                ChatLoad chats = ChatLoad.open(lab, service, database, ACTORS)) {
            memory(service, chats, report);
        }
        lab.dropDatabase("bench_actors");
    }

    private static void throughput(ChatLoad chats, Report report) throws Exception {
        Rounds rounds =
                Rounds.of(seconds -> chats.talk(TALKERS, seconds), seconds -> chats.startAndYield(TALKERS, seconds));
        report.ratio(
                "messages through actors (`/say hello`), sent → done; against start + yield without an actor",
                "/s",
                rounds,
                0,
                1,
                "");
    }

    private static void latency(ChatLoad chats, Report report) throws Exception {
        List<Percentiles> first = new ArrayList<>();
        for (int round = 0; round <= Rounds.COUNT; round++) {
            List<Long> nanos = new ArrayList<>();
            long start = System.nanoTime();
            for (int i = 0; i < PACE * Rounds.SECONDS; i++) {
                LockSupport.parkNanos(start + i * 1_000_000_000L / PACE - System.nanoTime());
                nanos.add(chats.firstChunk(i % ACTORS));
            }
            if (round > 0) {
                first.add(Percentiles.ofNanos(nanos));
            }
        }
        report.figure(
                "time to the first chunk at " + PACE + " messages/s, sent → read from the stream",
                Percentiles.of(first),
                "");
    }

    /** Each says one thing; then they rest, are passivated, and are all spoken to again. */
    private static void memory(PackagedService service, ChatLoad chats, Report report) throws Exception {
        chats.talk(TALKERS, 5);
        Thread.sleep((PASSIVATED_AFTER_SECONDS + 5) * 1_000L);
        long none = SseRow.heapAfterGc(service.pid());
        AtomicInteger next = new AtomicInteger();
        double fresh = chats.talkOnce(TALKERS, next);
        long idle = SseRow.heapAfterGc(service.pid());
        Thread.sleep((PASSIVATED_AFTER_SECONDS + 5) * 1_000L);
        long passivated = SseRow.heapAfterGc(service.pid());
        next.set(0);
        double again = chats.talkOnce(TALKERS, next);
        report.figure(
                "heap after GC an idle actor, of " + Report.thousands(ACTORS),
                Report.thousands((idle - none) / (double) ACTORS) + " bytes",
                "");
        report.figure(
                "— a passivated one",
                Report.thousands(Math.max(0, passivated - none) / (double) ACTORS) + " bytes",
                "");
        report.figure("actors activated by their first message", Report.thousands(fresh) + " /s", "");
        report.figure("passivated actors activated again, with their history", Report.thousands(again) + " /s", "");
    }
}
