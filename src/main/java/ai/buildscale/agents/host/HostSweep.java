package ai.buildscale.agents.host;

import ai.buildscale.agents.platform.jobs.Sweeps;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import ai.buildscale.agents.turn.Inbox;
import ai.buildscale.agents.turn.TurnClosing;
import ai.buildscale.agents.turn.TurnConfig;
import ai.buildscale.agents.turn.TurnJournal;
import ai.buildscale.agents.turn.TurnOutcome.Returned;
import io.quarkus.runtime.Startup;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jboss.logging.Logger;

/**
 * Time-based transitions of hosts and their turns: seize turns that must end, give back turns that nobody runs, forget
 * silent hosts.
 */
@Startup // it listens to stops before it is first swept
@ApplicationScoped
class HostSweep {
    private static final Logger LOG = Logger.getLogger(HostSweep.class);
    private static final int BATCH = 200;

    private final FailureLog failureLog = new FailureLog(HostSweep.class, "turns of hosts elsewhere are not stopped");
    private final Database database;
    private final HostRepository hosts;
    private final TurnJournal journal;
    private final Sweeps sweeps;
    private final Notifier notifier;
    private final HostConfig config;
    private final TurnConfig turns;

    HostSweep(
            Database database,
            HostRepository hosts,
            TurnJournal journal,
            Sweeps sweeps,
            Notifier notifier,
            HostConfig config,
            TurnConfig turns,
            Inbox inbox) {
        this.database = database;
        this.hosts = hosts;
        this.journal = journal;
        this.sweeps = sweeps;
        this.notifier = notifier;
        this.config = config;
        this.turns = turns;
        inbox.onStop(this::stopSoon);
    }

    @Scheduled(every = "${hosts.sweep-interval:2s}", concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
    Uni<Void> tick() {
        return sweeps.run("agent-hosts", config.sweepInterval(), this::runOnce);
    }

    /** Emits how many turns were seized or given back, and hosts forgotten. */
    Uni<Integer> runOnce() {
        return Sweeps.drain(BATCH, this::seize)
                .chain(seized -> giveBack().map(given -> seized + given))
                .chain(seized -> hosts.forget(config.forgetAfter())
                        .invoke(forgotten -> {
                            if (forgotten > 0) {
                                LOG.infof("forgot %d hosts elsewhere, silent for %s", forgotten, config.forgetAfter());
                                notifier.appended();
                            }
                        })
                        .map(forgotten -> seized + forgotten));
    }

    /** People have stopped something: what no host runs is stopped now. */
    void stopSoon() {
        seize().subscribe().with(_ -> failureLog.over(), failureLog::met);
    }

    private Uni<Integer> seize() {
        return closed(db -> hosts.seize(db, turns.maxAttempts(), BATCH));
    }

    /** What hosts have let go of, or were not heard of, waits for the next one, and its session rests. Emits how many. */
    Uni<Integer> giveBack() {
        return Sweeps.drain(BATCH, () -> closed(db -> hosts.left(db, BATCH)));
    }

    /** Closes turns in the transaction that finds and locks them; emits how many. */
    private Uni<Integer> closed(Function<Db, Uni<List<TurnClosing>>> found) {
        return database.inTransaction(db -> found.apply(db).call(closings -> journal.closeLeft(db, closings)))
                .invoke(closings -> {
                    if (!closings.isEmpty()) {
                        report(closings);
                    }
                })
                .map(List::size);
    }

    private void report(List<TurnClosing> closings) {
        notifier.appended();
        closings.forEach(closing -> LOG.infof(
                "session %s turn %s is %s, epoch %d: %s",
                closing.fence().session(),
                closing.fence().turn(),
                closing.outcome() instanceof Returned ? "given back" : "taken from its host",
                closing.fence().epoch(),
                Objects.requireNonNullElse(closing.outcome().why(), "it waits for the next")));
    }
}
