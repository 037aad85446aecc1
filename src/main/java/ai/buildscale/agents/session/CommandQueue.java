package ai.buildscale.agents.session;

import ai.buildscale.agents.platform.Ids;
import ai.buildscale.agents.platform.WireEnum;
import ai.buildscale.agents.platform.postgres.Database;
import ai.buildscale.agents.platform.postgres.Db;
import ai.buildscale.agents.platform.postgres.Notifier;
import ai.buildscale.agents.platform.problem.Problem;
import ai.buildscale.agents.platform.problem.ProblemType;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.quarkus.runtime.Startup;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * Queues the commands for the owners of hosted sessions: an owner takes them, carries them out, and reports them
 * applied. Whatever an owner writes names itself and the epoch in which it acted: commands of sessions that it has lost
 * meanwhile stay open for their new owner, and it gets fewer rows back. Everything may run on all servers at once.
 */
@Startup // its metrics are there before it is needed
@ApplicationScoped
public class CommandQueue {
    private static final String ONE_MIGRATION = "session_commands_one_migration";

    private final Database database;
    private final CommandRepository repository;
    private final Notifier notifier;
    private final SessionConfig config;
    private final MeterRegistry metrics;

    CommandQueue(
            Database database,
            CommandRepository repository,
            Notifier notifier,
            SessionConfig config,
            MeterRegistry metrics) {
        this.database = database;
        this.repository = repository;
        this.notifier = notifier;
        this.config = config;
        this.metrics = metrics;
        for (CommandType type : CommandType.values()) {
            time(type.toString(), false);
            time(type.toString(), true);
        }
    }

    /**
     * Asks a session's owner to hand it over, to the target or where placement says. No command if it is there already.
     *
     * @throws Problem {@code NOT_FOUND}; {@code CONFLICT} if it has ended, is hosted outside, or migrates already
     */
    public Uni<CommandOutcome> askToMigrate(Db db, UUID session, UUID target) {
        return repository
                .askToMigrate(db, session, Ids.next(), target)
                .onFailure(e -> ONE_MIGRATION.equals(Database.violatedConstraint(e)))
                .transform(
                        _ -> new Problem(ProblemType.CONFLICT, "The session is being migrated already").retryAfter(1))
                .map(asked -> judge(asked, target))
                .invoke(migration -> {
                    if (migration.command() != null) {
                        db.afterCommit(() ->
                                notifier.concerns(Set.of(migration.command().serverId())));
                    }
                });
    }

    private static CommandOutcome judge(CommandRepository.Asked asked, UUID target) {
        if (asked == null) {
            throw Problem.notFound("The session");
        }
        SessionView session = asked.session();
        if (asked.command() == null && !(target != null && target.equals(session.serverId()) && !session.terminal())) {
            throw WireEnum.is(Hosting.EXTERNAL, session.hosting()) && !session.terminal()
                    ? new Problem(ProblemType.CONFLICT, "The session is hosted outside: its own host decides where")
                    : SessionService.illegal(session.status(), "A session that is " + session.status() + " stays");
        }
        return new CommandOutcome(session, asked.command());
    }

    /** Delivers the next batch of commands to the server that owns their sessions. Empty when there are none. */
    public Uni<List<DeliveredCommand>> deliver(UUID server) {
        return repository.deliver(database, server, config.commandTimeout()).invoke(this::notifyStreams);
    }

    /** Applies commands that a server has carried out; emits those whose session it still owned. */
    public Uni<List<DeliveredCommand>> applied(UUID server, Collection<UUID> carriedOut) {
        return repository
                .apply(database, server, carriedOut.toArray(UUID[]::new))
                .invoke(this::notifyStreams)
                .invoke(commands -> commands.forEach(this::measure));
    }

    /** Rejects a command that cannot be carried out, with the reason that its caller reads. */
    public Uni<Void> reject(UUID server, UUID command, String why) {
        return repository
                .reject(database, server, command, why)
                .invoke(this::notifyStreams)
                .replaceWithVoid();
    }

    /** Fences ended sessions whose owner has not carried out their commands in time; emits the commands. */
    public Uni<List<DeliveredCommand>> fenceCancelled() {
        return repository
                .fence(database, config.commandTimeout())
                .invoke(this::notifyStreams)
                .invoke(commands -> commands.forEach(this::measure));
    }

    /** Finds migrations that their owner has not carried out in time; any server may carry them out. */
    public Uni<List<OpenMigration>> lateMigrations() {
        return repository.lateMigrations(database, config.commandTimeout());
    }

    /** A migration that has not been carried out yet. */
    public record OpenMigration(UUID command, UUID session, UUID target, UUID owner, String requires, boolean ended) {}

    private void notifyStreams(List<DeliveredCommand> commands) {
        if (!commands.isEmpty()) {
            notifier.appended();
        }
    }

    private void measure(DeliveredCommand delivered) {
        CommandView command = delivered.command();
        time(command.command(), command.fenced()).record(Duration.between(command.acceptedAt(), command.appliedAt()));
    }

    private Timer time(String command, boolean fenced) {
        return Timer.builder("sessions.command.time")
                .description("from a command's acceptance until the session's owner has carried it out")
                .tag("command", command)
                .tag("fenced", Boolean.toString(fenced))
                .register(metrics);
    }
}
