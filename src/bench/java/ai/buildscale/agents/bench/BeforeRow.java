package ai.buildscale.agents.bench;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Measures this build beside an earlier one, both in one run: get, create, transition, messages through actors, fan-out.
 * Each has a database of its own.
 */
final class BeforeRow implements Bench.Row {
    private static final String REACH = "≥ 0.97";
    private static final int STREAMS = 1_000;
    private static final int ACTORS = 2_000;
    private static final int TALKERS = 64;
    /** Those that are asked for, of get, create, transition, actors and fan-out. */
    private static final Set<String> WANTED =
            Set.of(System.getProperty("bench.before.rows", "get,create,transition,actors,fan-out")
                    .split(","));
    /** The sessions that publish are those of the first workspace, which is followed. */
    private static final String WORKSPACE = "case when n < %1$d + %2$d then %1$d else %1$d + n %% %3$d end"
            .formatted(Lab.FIRST, SseRow.SESSIONS, WriteRow.WORKSPACES);

    @Override
    public List<Peer> peers() {
        return List.of(Peer.WRK);
    }

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String earlier = System.getProperty("bench.before", "");
        if (earlier.isEmpty()) {
            throw new IllegalStateException("name the other build's artefact: BEFORE=…/quarkus-run.jar");
        }
        if (WANTED.contains("actors")) {
            actors(lab, earlier, report);
        }
        if (WANTED.equals(Set.of("actors"))) {
            return;
        }
        String nowDatabase = lab.newDatabase("bench_now");
        String thenDatabase = lab.newDatabase("bench_then");
        try (PackagedService now = lab.service(nowDatabase);
                PackagedService then =
                        PackagedService.start(Path.of(earlier).toAbsolutePath(), thenDatabase, lab.keys())) {
            for (String database : List.of(nowDatabase, thenDatabase)) {
                Lab.fill(database, WriteRow.WORKSPACES, WORKSPACE, GetRow.SESSIONS, "server", "idle");
            }
            Path get = GetRow.script(lab.token());
            int readers = GetRow.CONNECTIONS;
            if (WANTED.contains("get")) {
                compare(report, "`GET` a session by id", readers, wrk(get, readers, now), wrk(get, readers, then));
            }
            Path create = WriteRow.creating(lab.token());
            Path transition = WriteRow.transitioning(lab.token());
            int writers = WriteRow.CLIENTS;
            Map<String, Path> writes = new LinkedHashMap<>();
            writes.put("create", create);
            writes.put("transition", transition);
            writes.keySet().retainAll(WANTED);
            for (Map.Entry<String, Path> write : writes.entrySet()) {
                compare(
                        report,
                        write.getKey(),
                        writers,
                        WriteRow.checked(nowDatabase, wrk(write.getValue(), writers, now)),
                        WriteRow.checked(thenDatabase, wrk(write.getValue(), writers, then)));
            }
            if (!WANTED.contains("fan-out")) {
                return;
            }
            try (SseClient ofNow = SseClient.start("sse-now", SseRow.service(now, now, nowDatabase, lab.token()));
                    SseClient ofThen =
                            SseClient.start("sse-then", SseRow.service(then, then, thenDatabase, lab.token()))) {
                ofNow.open(STREAMS);
                ofThen.open(STREAMS);
                Rounds rounds = Rounds.of(
                        seconds -> ofNow.saturate("http", seconds), seconds -> ofThen.saturate("http", seconds));
                report.ratio("deliveries to " + Report.thousands(STREAMS) + " streams", "/s", rounds, 0, 1, REACH);
            }
        }
    }

    private static void actors(Lab lab, String earlier, Report report) throws Exception {
        String nowDatabase = lab.newDatabase("bench_actors_now");
        String thenDatabase = lab.newDatabase("bench_actors_then");
        try (PackagedService now = lab.service(nowDatabase);
                PackagedService then =
                        PackagedService.start(Path.of(earlier).toAbsolutePath(), thenDatabase, lab.keys());
                ChatLoad ofNow = ChatLoad.open(lab, now, nowDatabase, ACTORS);
                ChatLoad ofThen = ChatLoad.open(lab, then, thenDatabase, ACTORS)) {
            compare(
                    report,
                    "messages through actors, sent → done",
                    TALKERS,
                    seconds -> ofNow.talk(TALKERS, seconds),
                    seconds -> ofThen.talk(TALKERS, seconds));
        }
        lab.dropDatabase("bench_actors_now");
        lab.dropDatabase("bench_actors_then");
    }

    private static Rounds.Side wrk(Path script, int connections, PackagedService service) {
        return seconds -> Peer.wrk(script, connections, seconds, service.url("/"));
    }

    private static void compare(Report report, String what, int connections, Rounds.Side now, Rounds.Side then)
            throws Exception {
        report.ratio(
                what + ", " + connections + " connections; against the earlier build",
                "/s",
                Rounds.of(now, then),
                0,
                1,
                REACH);
    }
}
