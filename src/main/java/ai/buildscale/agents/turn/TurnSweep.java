package ai.buildscale.agents.turn;

import ai.buildscale.agents.platform.jobs.Sweeps;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Notifier;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;

/** Removes what an ended session left behind: an open turn, undelivered messages, chunks that nobody closed. */
@ApplicationScoped
class TurnSweep {
    private static final Duration EVERY = Duration.ofSeconds(5);
    private static final int BATCH = 2_000;

    private final Database database;
    private final Sweeps sweeps;
    private final Notifier notifier;

    TurnSweep(Database database, Sweeps sweeps, Notifier notifier) {
        this.database = database;
        this.sweeps = sweeps;
        this.notifier = notifier;
    }

    @Scheduled(every = "5s", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("chats", EVERY, this::runOnce);
    }

    /** Emits how many turns, messages and chunks were left. */
    Uni<Integer> runOnce() {
        return Uni.join()
                .all(
                        drained(TurnCloseSql.CLOSE_LEFT),
                        drained(TurnCloseSql.DROP_LEFT),
                        drained(TurnCloseSql.REMOVE_LEFT_CHUNKS))
                .usingConcurrencyOf(1)
                .andCollectFailures()
                .map(counts -> counts.stream().mapToInt(Integer::intValue).sum())
                .invoke(n -> {
                    if (n > 0) {
                        notifier.appended();
                    }
                });
    }

    private Uni<Integer> drained(String sql) {
        return Sweeps.drain(
                BATCH,
                () -> database.row(sql, BATCH).map(row -> row.getLong("n").intValue()));
    }
}
