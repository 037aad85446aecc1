package ai.buildscale.agents.chat;

import ai.buildscale.agents.chat.TurnRepository.TurnOutcome;
import ai.buildscale.agents.platform.jobs.Sweeps;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.telemetry.FailureLog;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jboss.logging.Logger;

/**
 * Time-based transitions of hosts and their turns: seize turns that must end, give back turns that nobody runs, forget
 * silent hosts.
 */
@ApplicationScoped
class HostSweep {
    private static final Logger LOG = Logger.getLogger(HostSweep.class);
    private static final int BATCH = 200;

    private final FailureLog failureLog = new FailureLog(HostSweep.class, "turns of hosts elsewhere are not stopped");
    private final Database database;
    private final HostRepository hosts;
    private final TurnRepository turns;
    private final Sweeps sweeps;
    private final Notifier notifier;
    private final HostConfig config;
    private final ChatConfig chats;
    private final TurnOutcomes outcomes;

    HostSweep(
            Database database,
            HostRepository hosts,
            TurnRepository turns,
            Sweeps sweeps,
            Notifier notifier,
            HostConfig config,
            ChatConfig chats,
            TurnOutcomes outcomes) {
        this.database = database;
        this.hosts = hosts;
        this.turns = turns;
        this.sweeps = sweeps;
        this.notifier = notifier;
        this.config = config;
        this.chats = chats;
        this.outcomes = outcomes;
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
        return closed(db -> hosts.seize(db, chats.maxAttempts(), BATCH));
    }

    /** What hosts have let go of, or were not heard of, waits for the next one, and its session rests. Emits how many. */
    Uni<Integer> giveBack() {
        return Sweeps.drain(BATCH, () -> closed(db -> hosts.left(db, BATCH)));
    }

    /** Closes turns in the transaction that finds and locks them; emits how many. */
    private Uni<Integer> closed(Function<Db, Uni<List<TurnOutcome>>> found) {
        return database.inTransaction(db -> found.apply(db)
                        .call(endings ->
                                endings.isEmpty() ? Uni.createFrom().voidItem() : turns.close(db, null, endings)))
                .invoke(endings -> {
                    if (!endings.isEmpty()) {
                        told(endings);
                    }
                })
                .map(List::size);
    }

    private void told(List<TurnOutcome> endings) {
        notifier.appended();
        endings.forEach(ending -> outcomes.count(ending.ending()));
        endings.forEach(ending -> LOG.infof(
                "session %s turn %s is %s, epoch %d: %s",
                ending.fence().session(),
                ending.fence().turn(),
                ending.ending().equals("returned") ? "given back" : "taken from its host",
                ending.fence().epoch(),
                Stream.of(ending.reason(), ending.words())
                        .filter(Objects::nonNull)
                        .findFirst()
                        .orElse("it waits for the next")));
    }
}
