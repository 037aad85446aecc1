package ai.buildscale.agents.bench;

import com.fasterxml.jackson.databind.JsonNode;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;

/** Sessions are paused and resumed on a server that does not own them: how soon their owner has obeyed. */
final class CommandRow implements Bench.Row {
    private static final int SESSIONS = 64;
    private static final int PACE = 25;
    /** Even, so that each round ends as it began. */
    private static final int COMMANDS_EACH = 8;

    private static final int COMMANDS = SESSIONS * COMMANDS_EACH;

    @Override
    public List<Peer> peers() {
        return List.of();
    }

    private record Outcome(Percentiles delivered, Percentiles applied, Percentiles answered) {}

    @Override
    public void run(Lab lab, Report report) throws Exception {
        String database = lab.newDatabase("bench_commands");
        try (Fleet fleet = Fleet.start(lab, database, 2);
                FleetApi api = new FleetApi(lab.token());
                HostedSessions sessions = HostedSessions.open(database, SESSIONS)) {
            Fleet.Member owner = fleet.member(0);
            PackagedService other = fleet.other(owner).service();
            sessions.putOn(owner);
            sessions.execute("update agent_sessions set status = 'running'");
            sessions.awaitCounted();
            List<Outcome> outcomes = new ArrayList<>();
            // the first round warms up
            for (int round = 0; round <= Rounds.COUNT; round++) {
                sessions.execute("delete from session_commands");
                List<Long> answered = send(api, other);
                Outcome outcome = new Outcome(
                        stage(database, "delivered_at"), stage(database, "applied_at"), Percentiles.ofNanos(answered));
                System.out.println("    round " + round + ": " + outcome);
                if (round > 0) {
                    outcomes.add(outcome);
                }
            }
            sessions.clear();
            report(report, outcomes);
        }
        lab.dropDatabase("bench_commands");
    }

    /** How long each took to be answered, in ns, once it was carried out. */
    private static List<Long> send(FleetApi api, PackagedService service) {
        List<CompletableFuture<Long>> answers = new ArrayList<>();
        long start = System.nanoTime();
        for (int i = 0; i < COMMANDS; i++) {
            long due = start + i * 1_000_000_000L / PACE;
            while (System.nanoTime() < due) {
                LockSupport.parkNanos(due - System.nanoTime());
            }
            String command = i / SESSIONS % 2 == 0 ? "pause" : "resume";
            String session = Lab.SESSION + (Lab.FIRST + i % SESSIONS);
            long sent = System.nanoTime();
            answers.add(api.post(service, "/agent-sessions/" + session + "/" + command + "?wait=5")
                    .thenApply(answer -> {
                        long took = System.nanoTime() - sent;
                        requireApplied(answer);
                        return took;
                    }));
        }
        return answers.stream().map(CompletableFuture::join).toList();
    }

    private static void requireApplied(JsonNode answer) {
        if (!answer.at("/command/state").asText().equals("applied")) {
            throw new IllegalStateException("the owner has not obeyed within 5 s: " + answer);
        }
    }

    private static Percentiles stage(String database, String reached) throws SQLException {
        String percentile = "select percentile_cont(%s) within group (order by extract(epoch from " + reached
                + " - accepted_at)) * 1000 from session_commands";
        return new Percentiles(
                Double.parseDouble(Lab.string(database, percentile.formatted("0.5"))),
                Double.parseDouble(Lab.string(database, percentile.formatted("0.99"))));
    }

    private static void report(Report report, List<Outcome> outcomes) {
        report.figure(
                COMMANDS + " pauses and resumes at " + PACE
                        + "/s on one server, written → their owner, another, has them",
                Percentiles.of(outcomes.stream().map(Outcome::delivered).toList()),
                "p50 ≤ 10 ms");
        report.figure(
                "— written → obeyed",
                Percentiles.of(outcomes.stream().map(Outcome::applied).toList()),
                "");
        report.figure(
                "— sent with `?wait=5` → answered that they are obeyed",
                Percentiles.of(outcomes.stream().map(Outcome::answered).toList()),
                "");
    }
}
